"""Scores that need not be computed twice: in memory, and on disk where that is asked for."""
