"""Two evaluations of the same prompts: what rose, what fell, and whether it is luck."""
