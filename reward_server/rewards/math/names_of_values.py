"""Names that an answer gives to its values: `x = 5`, `f(2) = 3`, `p = 5, q = 2`; letters read as words."""

from fractions import Fraction

from reward_server.rewards.math.tree import Apply, Collection, Kind, Node, Number, Relation, Symbol, Text

_COORDINATES = (("x", "y"), ("x", "y", "z"))
_FUNCTION_NAMES = frozenset("fghpqFGHPQ")


def is_name(node: Node) -> bool:
    """Tell whether the node only names a value: `x`, `AB`, `f(2)`, `(x, y)`, `a:b`, `AB/CD`."""
    if isinstance(node, Symbol):
        return True
    if isinstance(node, Collection):
        return node.kind in (Kind.TUPLE, Kind.RATIO) and all(map(is_name, node.items))
    if isinstance(node, Apply) and node.head in ("abs", "div"):
        return all(map(_is_segment, node.args))
    if not isinstance(node, Apply) or node.head != "mul":
        return False
    return is_called(node) or all(map(is_name, node.args))


def is_called(node: Node) -> bool:
    """Tell whether the node is a function of something, `f(2)` or `f^{-1}(2)`."""
    if not isinstance(node, Apply) or node.head != "mul":
        return False
    first, *rest = node.args
    if isinstance(first, Apply) and first.head == "pow" and first.args[1] == Number(Fraction(-1), 0, 1):
        first = first.args[0]
    return isinstance(first, Symbol) and first.name in _FUNCTION_NAMES and len(rest) == 1


def _is_segment(node: Node) -> bool:
    """Tell whether the node is `AB`, a line between two points."""
    letters = node.args if isinstance(node, Apply) and node.head == "mul" else ()
    return len(letters) > 1 and all(isinstance(each, Symbol) and each.name[0].isupper() for each in letters)


def named_value(node: Node) -> Node | None:
    """Return what `x = ...` or `x \\in ...` gives a name to, else None."""
    if not isinstance(node, Relation):
        return None
    if node.operators == ("=",) and is_name(node.sides[1]) and not is_name(node.sides[0]):
        return node.sides[0]
    if not is_name(node.sides[0]):
        return None
    if node.operators in (("in",), ("~",)):
        return node.sides[1]
    if node.operators[0] != "=" or not set(node.operators) <= {"=", "~"}:
        return None
    rest = node.sides[1:]
    return rest[0] if len(rest) == 1 else Relation(node.operators[1:], rest)


def by_turns(model: Collection, node: Collection) -> Node:
    """Rewrite `p = 5, q = 2; p = 7, q = 2` where the model is a list of pairs."""
    sizes = {len(item.items) for item in model.items if isinstance(item, Collection)}
    if len(sizes) != 1 or len(node.items) % (size := sizes.pop()) or size < 2:
        return node
    starts = range(0, len(node.items), size)
    turns = [values_by_name(Collection(Kind.LIST, node.items[start : start + size])) for start in starts]
    if any(turn is None for turn in turns):
        return node
    return Collection(Kind.LIST, tuple(Collection(Kind.TUPLE, turn) for turn in turns if turn))


def values_by_name(node: Node) -> tuple[Node, ...] | None:
    """Return the values of a list of `name = value` whose names are letters in alphabetical order.

    Of coordinates that order is known, however they are written.
    """
    if not isinstance(node, Collection) or node.kind is not Kind.LIST:
        return None
    named = [(spelled(each.sides[0]), named_value(each)) for each in node.items if isinstance(each, Relation)]
    names = [name for name, value in named if name is not None and value is not None]
    if len(names) < len(node.items) or len(set(names)) < len(names):
        return None
    values = [value for _, value in named if value is not None]
    if names == sorted(names):
        return tuple(values)
    if tuple(sorted(names)) not in _COORDINATES:
        return None
    return tuple(values[names.index(name)] for name in sorted(names))


def spelled(node: Node) -> str | None:
    """Return a node as words if it is words, or letters side by side: `odd` was read as a product."""
    match node:
        case Text(words=words):
            return words
        case Symbol(name=name):
            return name
        case Apply(head=head, args=()) if len(head) == 1:
            return head
        case Apply(head="mul", args=letters):
            spellings = [
                spelled(letter) for letter in letters if not isinstance(letter, Apply) or not letter.args
            ]
            whole = "".join(each for each in spellings if each is not None and len(each) == 1)
            return whole.lower() if len(whole) == len(letters) else None
        case _:
            return None
