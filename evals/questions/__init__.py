"""Which questions an evaluation asks: rows of a run, and suites beside them."""
