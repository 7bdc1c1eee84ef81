"""Classes of integers: `x \\equiv 3 \\pmod{5}`, `3 (mod 5)`, `x \\equiv 1, 4 \\pmod 5`.

A class is written with its least remainder, so that `8 \\pmod 5` is `3 \\pmod 5`. It is no
number: the class of 3 and the number 3 are different answers, in either direction.
"""

import re
from fractions import Fraction

from reward_server.rewards.math.tree import (
    Collection,
    Kind,
    Node,
    Number,
    Relation,
    StrangeAnswerError,
    Symbol,
)

_WHOLE = r"-?\d{1,18}"
_MOD = r"(?:\\[bp]?mod|mod|\\(?:text|mathrm|operatorname)\s*\{\s*mod\s*\})"
_OR = r"(?:, ?| or |\\text\s*\{ or \})"
_CLASSES = re.compile(
    rf"(?:(?P<name>[A-Za-z]) ?(?:\\equiv|=) ?)?(?P<members>{_WHOLE}(?:{_OR}{_WHOLE}){{0,11}})"
    rf"(?:\\[ ,;]|\\quad| )*(?P<open>\()? ?{_MOD}(?:\\[ ,;]| )*"
    r"(?:\{ ?(?P<braced>\d{1,18}) ?\}|(?P<bare>\d{1,18})) ?(?(open)\))",
    re.ASCII,
)
_MEMBER = re.compile(_WHOLE, re.ASCII)


def read_residues(text: str) -> Node | None:
    """Return the class that the whole text is, or a list of several; None if it is anything else.

    Raises:
        StrangeAnswerError: a class of remainders of nothing.
    """
    found = _CLASSES.fullmatch(text)
    if found is None:
        return None
    modulus = int(found["braced"] or found["bare"])
    if not modulus:
        raise StrangeAnswerError("a remainder of a division by zero")
    members = map(int, _MEMBER.findall(found["members"]))
    classes = tuple(_residue(member, modulus, found["name"]) for member in members)
    return classes[0] if len(classes) == 1 else Collection(Kind.LIST, classes)


def _residue(member: int, modulus: int, name: str | None) -> Node:
    numbers = (Number(Fraction(member % modulus)), Number(Fraction(modulus)))
    residue = Collection(Kind.RESIDUE, numbers)
    return residue if name is None else Relation(("=",), (Symbol(name), residue))


def is_named(node: Node) -> bool:
    """Tell whether the node is a class with a name, `x \\equiv 3 \\pmod 5`."""
    match node:
        case Relation(sides=(_, Collection(kind=Kind.RESIDUE))):
            return True
        case _:
            return False


def same_name(one: Node, other: Node) -> tuple[Node, Node] | None:
    """Return two classes without the name that both have; None if they are anything else."""
    match one, other:
        case (
            Relation(sides=(first, Collection(kind=Kind.RESIDUE) as residue)),
            Relation(sides=(second, Collection(kind=Kind.RESIDUE) as another)),
        ) if first == second:
            return residue, another
        case _:
            return None
