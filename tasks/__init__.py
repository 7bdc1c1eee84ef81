"""Datasets as examples: adapters, mixing, prompts."""
