"""Is this answer the same value as the reference? Decided in layers, cheapest first.

    clean, peeling, boxes, leads, prose
                         the answer's own characters, and answers that are words
    numbers, commas, compound, units, words
                         plain numbers with units, without a parser
    tokens, parser, atoms, arguments, functions, brackets, literals, names, tree
                         a closed subset of LaTeX and plain notation
    exact, evaluation, sampled, points, scalars, meter
                         values of expressions, and what they may cost
    shapes, names_of_values, matrices, compare, disproof
                         lists, sets, intervals, relations, part by part
    reading, expected, judge
                         the layers in order
    symbolic, sympy_trees  in a worker: what is left, with computer algebra
    reward               verdicts and explanations

Text of an answer never reaches anything that evaluates text; a test holds this package
to it. Importing it does not import sympy.
"""

from reward_server.rewards.math.reward import TASKS, MathReward

__all__ = ["TASKS", "MathReward"]
