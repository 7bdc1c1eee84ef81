"""The same held-out prompts before, while and after training."""
