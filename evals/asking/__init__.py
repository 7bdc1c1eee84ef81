"""Examples to completions: whatever can be asked, and what was already said."""
