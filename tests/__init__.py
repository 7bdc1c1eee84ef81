"""A package, so that another `tests` on the path, which some wheels leave there, does not stand in for it."""
