"""GRPO with Tunix against a reward server."""
