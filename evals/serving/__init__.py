"""A checkpoint as an OpenAI-compatible endpoint, so that other harnesses can ask it."""
