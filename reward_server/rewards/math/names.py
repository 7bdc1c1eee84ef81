"""Which words and commands name a constant, a function or a symbol."""

CONSTANTS = {
    "pi": "pi", "e": "e", "i": "i", "infinity": "infinity", "inf": "infinity", "oo": "infinity",
    "infty": "infinity", "emptyset": "empty", "varnothing": "empty",
}  # fmt: skip
FUNCTIONS = {
    "sin": "sin", "cos": "cos", "tan": "tan", "cot": "cot", "sec": "sec", "csc": "csc", "arcsin": "asin",
    "arccos": "acos", "arctan": "atan", "asin": "asin", "acos": "acos", "atan": "atan", "sinh": "sinh",
    "cosh": "cosh", "tanh": "tanh", "ln": "ln", "log": "log", "lg": "log", "exp": "exp", "abs": "abs",
    "floor": "floor", "ceil": "ceil", "sqrt": "sqrt", "cbrt": "cbrt", "gcd": "gcd", "lcm": "lcm",
    "max": "max", "min": "min",
}  # fmt: skip
INVERSES = {"sin": "asin", "cos": "acos", "tan": "atan"}
NAMES = frozenset(CONSTANTS) | frozenset(FUNCTIONS)
_GREEK = """
alpha beta gamma delta epsilon varepsilon zeta eta theta vartheta iota kappa lambda mu nu xi rho sigma tau
upsilon phi varphi chi psi omega angle triangle Gamma Delta Theta Lambda Xi Pi Sigma Phi Psi Omega ell hbar
"""
GREEK = frozenset(_GREEK.split())
# What `vectors` writes for \hat{i}, \mathbf{i} and so on, in the order of their components.
UNIT_VECTORS = ("hati", "hatj", "hatk")
