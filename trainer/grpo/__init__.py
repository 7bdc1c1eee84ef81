"""GRPO on Tunix: the step, its loss, and all that this project knows of Tunix's private side."""
