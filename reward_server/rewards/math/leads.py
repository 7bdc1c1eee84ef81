"""What models write before and after an answer: "The total cost is", "We get", "is the answer".

A lead names what follows and claims nothing else: a few words, none of which doubts, denies
or compares, then "is", "=" or a colon, then a value. Other prose is not an answer.
"""

import re

from reward_server.rewards.math.names import GREEK, NAMES

_ADJECTIVES = r"(?:(?:final|correct|exact|simplified|right|numerical|actual|required|desired) )*"
# These name an answer whatever it is, words included.
_ANSWER = re.compile(
    rf"(?:so|thus|therefore|hence|finally)(?: *,| ) *|a total of (?=[-+$\\\d])|"
    rf"(?:result|solution|ans|a)[*_]{{0,2}}: *|"
    rf"(?:\*\*|__)(?:final )?(?:answer|result|solution)(?:\*\*|__) +|"
    rf"#{{0,3}} ?(?P<bold>\*\*|__)?(?:(?:the|my|our) )?{_ADJECTIVES}"
    rf"(?:(?:answer|total|result|solution) *(?(bold)[*_]{{0,2}})(?:is(?![a-z])|:|=)(?(bold)[*_]{{0,2}}) *:?"
    rf"|answer(?(bold)[*_]{{0,2}}) +(?=[-+$\\\d]))",
    re.IGNORECASE,
)
# The same in other languages.
_ELSEWHERE = re.compile(
    r"(?:(?:所以|因此|故|最终|正确) ?,? ?)*答案(?:是|为)? ?:? ?"
    r"|(?:donc,? )?(?:la )?réponse(?: finale)? ?(?:est|:) ?"
    r"|(?:die )?antwort ?(?:ist|lautet|:) ?|(?:la )?respuesta(?: final)? ?(?:es|:) ?"
    r"|(?:la )?risposta(?: finale)? ?(?:è|:) ?|(?:a )?resposta(?: final)? ?(?:é|:) ?|ответ ?: ?",
    re.IGNORECASE,
)
_NAME = r"(?:[a-z][a-z'-]*|\$[^$=]{1,40}\$(?:-[a-z]+)?|\\\([^=]{1,40}?\\\)|[a-z]\(\d{1,3}\))"
# What stands before a value that begins like one: a sign, a digit, a bracket, a command, `y =`.
_CLAIM = re.compile(
    rf"(?:\*\*|__)?(?P<name>{_NAME}(?: {_NAME}){{0,9}}?)"
    r"(?: (?:is|are|was|equals|is equal to|comes to|gives|get|got|obtain|find|have|yields)(?: that)?(?: *:)? "
    r"|(?:\*\*|__)?(?: ?=|:)(?:\*\*|__)? +)"
    r"(?:exactly |equal to |at (?=[($\\]))?"
    r"(?=[-+$\\\d(\[{|*_.]|[a-z](?:\([a-z]\))? ?[=<>]|USD|[a-z]{1,6} ?[(^*+/²³]|(?:negative|minus|zero|one"
    r"|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|[a-z]+teen|[a-z]+ty|half)\b)",
    re.IGNORECASE,
)
_DOUBT_WORDS = """
not no nor never none nothing nobody neither either or if unless whether maybe perhaps possibly probably
might could may should would wrong incorrect false guess guessed guesses estimate estimated estimates
approximately approximate about around almost nearly roughly than between but except instead without
there what which how why where is isn't aren't wasn't cannot can't don't doesn't didn't any some
anything something everything previous old other another unlike because since as say says think believe
"""
# A value is claimed of something; "there are 5" and "what is 5" claim none.
DOUBTS = frozenset(_DOUBT_WORDS.split())
_NAMES = NAMES | GREEK
# `ab = 6` is an equation, "area = 6" a claim.
_SHORTEST_WORD = 2
_SHORTEST_BEFORE_EQUALS = 4
# A lead in math mode: `\\text{Answer: } 5`.
_WRAPPED = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s*\{\s*([A-Za-z ]{1,60}(?::| is|=))\s*\}\s*")
_CLOSING = re.compile(
    r",? is (?:the|my|our) (?:final |correct |right )*(?:answer|result|solution|total)$", re.I
)


def without_lead(text: str) -> str | None:
    """Return what a lead announces; None if the text does not begin with one."""
    if wrapped := _WRAPPED.match(text):
        return without_lead(f"{wrapped[1]} {text[wrapped.end() :]}")
    if not (text[:1].isalpha() or text[:1] in ("#", "*", "_") or (text[:1] == "$" and " " in text)):
        return None
    if found := _ANSWER.match(text):
        return text[found.end() :]
    if found := _ELSEWHERE.match(text):
        return text[found.end() :]
    if not (found := _CLAIM.match(text)):
        return None
    words = found["name"].lower().split()
    shortest = _SHORTEST_BEFORE_EQUALS if "=" in found[0] else _SHORTEST_WORD
    named = len(words) == 1 and " equal" in found[0]
    if (len(words[0]) < shortest and not named) or words[0] in _NAMES or not DOUBTS.isdisjoint(words):
        return None
    return text[found.end() :]


def without_closing(text: str) -> str:
    """Return a text without "is the answer" at its end."""
    found = _CLOSING.search(text, max(0, len(text) - 60)) if " is " in text else None
    return text[: found.start()] if found else text
