"""Before the first step: rows, the model to start from, and a look at the reward server."""
