"""The one error of this package."""


class PolicyError(Exception):
    """A model, tokenizer or adapter cannot be read or does not fit; says what to put where."""
