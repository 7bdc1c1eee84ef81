"""Runs untrusted programs: isolated, fast, in numbers."""
