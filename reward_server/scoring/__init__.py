"""From samples to outcomes: what is graded together, and in whose turn."""
