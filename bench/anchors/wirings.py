"""math-verify as three projects call it, each given its answers in the form that it asks for.

trl         only LaTeX, a box first (`trl.rewards.accuracy_reward`); bare answers are boxed here
verl        the gold boxed, the answer raw, plain numbers before LaTeX (`verl ... compute_score`)
nemo_skills the last box; equal strings first, bare text is put in dollars (`nemo_skills ... math_equal`)
"""

import re

from latex2sympy2_extended import NormalizationConfig, normalize_latex
from math_verify import ExprExtractionConfig, LatexExtractionConfig, StringExtractionConfig, parse, verify
from math_verify.metric import math_metric
from string_rules import last_box

_BOXED_ONLY = LatexExtractionConfig(
    normalization_config=NormalizationConfig(units=True),
    boxed_match_priority=0,
    try_extract_without_anchor=False,
)
_VERL = math_metric(
    gold_extraction_target=(LatexExtractionConfig(),),
    pred_extraction_target=(ExprExtractionConfig(), LatexExtractionConfig()),
)
_LETTERS = StringExtractionConfig(strings=tuple("ABCDEFGHIJ"))
_IN_LATEX = re.compile(r"\$.*\$|\\\(.*\\\)|\\\[.*\\\]|\\boxed\{", re.DOTALL)
_WORDS = re.compile(r"[a-zA-Z ,]+")


def trl(gold: str, answer: str) -> bool:
    boxed = answer if "\\boxed" in answer else f"\\boxed{{{answer}}}"
    wanted = parse(gold if _IN_LATEX.search(gold) else f"${gold}$", parsing_timeout=10)
    given = parse(boxed, extraction_config=[_BOXED_ONLY], extraction_mode="first_match", parsing_timeout=10)
    return verify(wanted, given)


def verl(gold: str, answer: str) -> bool:
    score, _ = _VERL([f"\\boxed{{{gold}}}"], [answer])
    return score == 1.0


def nemo_skills(gold: str, answer: str) -> bool:
    answer = last_box(answer)
    if re.fullmatch("[A-J]", gold.strip()) and verify(parse(gold, [_LETTERS]), parse(answer, [_LETTERS])):
        return True
    gold, answer = _without_ends(gold), _without_ends(answer)
    plain = [normalize_latex(each, NormalizationConfig()).replace(" ", "") for each in (gold, answer)]
    if plain[0] == plain[1]:
        return True
    if all(_WORDS.fullmatch(each) for each in plain):
        return False
    trees = [
        parse(each if _IN_LATEX.search(each) else f"${each}$", [LatexExtractionConfig()])
        for each in (gold, answer)
    ]
    return verify(*trees)


def _without_ends(text: str) -> str:
    """Drop a percent sign after a plain number, and full stops at the end."""
    if number := re.fullmatch(r"(\d+\.?\d*)\\?%", text):
        text = number[1]
    return text.rstrip(".\\")
