"""Grades a policy on held-out splits, on the server that trained it."""
