"""HumanEval's `check(candidate)` functions as assertions that the code reward takes.

The reward splits each test into a call, which runs in the sandbox, and a literal, which
does not. A check that loops, draws random numbers or computes what it expects cannot be
split, and its problem is left out by name. Nothing here is executed.
"""

import ast

from reward_client.api import CodeReference


class UnfitTestError(Exception):
    """A check cannot be written as assertions; says why."""


def to_reference(*, prompt: str, test: str, entry_point: str) -> CodeReference:
    """Turn a problem's `check` into a reference. The imports of the prompt are part of it.

    Raises:
        UnfitTestError: a statement of the check is no assertion of a call and a literal.
    """
    try:
        check = _check_function(ast.parse(test))
        imports = _imports(prompt)
    except SyntaxError as error:
        raise UnfitTestError(f"not Python: {error}") from error
    rename = _Rename(entry_point)
    tests = [
        ast.unparse(rename.visit(assertion))
        for statement in check.body
        if (assertion := _assertion(statement)) is not None
    ]
    if not tests:
        raise UnfitTestError("check() asserts nothing")
    return CodeReference(tests=tuple(tests), imports=imports, entry_point=entry_point)


class _Rename(ast.NodeTransformer):
    """Calls the function by its name instead of `candidate`."""

    def __init__(self, name: str) -> None:
        self._name = name

    def visit_Name(self, node: ast.Name) -> ast.Name:
        return ast.Name(id=self._name, ctx=node.ctx) if node.id == "candidate" else node


def _check_function(module: ast.Module) -> ast.FunctionDef:
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name == "check":
            return node
    raise UnfitTestError("there is no check() function")


def _imports(prompt: str) -> tuple[str, ...]:
    """Return the import statements before the function."""
    body = ast.parse(prompt + "\n    pass\n").body  # the signature and docstring alone are no function
    return tuple(ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom))


def _assertion(statement: ast.stmt) -> ast.stmt | None:
    """Return an assertion of a call, or None for a statement that asserts nothing."""
    match statement:
        case ast.Assert(test=ast.Constant(value=True)) | ast.Expr(value=ast.Name() | ast.Constant()):
            return None
        case ast.Assert(test=ast.Compare(left=left, ops=[ast.Is()], comparators=[ast.Constant() as right])):
            return _equal(left, right)
        case ast.Assert(
            test=ast.Compare(
                left=ast.Call(
                    func=ast.Name(id="abs"),
                    args=[ast.BinOp(left=ast.Call() as call, op=ast.Sub(), right=right)],
                ),
                ops=[ast.Lt()],
                comparators=[ast.Constant(value=float() | int() as bound)],
            )
        ):
            return _close(call, _number(right), float(bound))
        case ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right])):
            return _equal(left, _literal(right))
        case ast.Assert(test=test):
            return ast.Assert(test=test, msg=None)
        case _:
            raise UnfitTestError(f"no assertion: {ast.unparse(statement)[:80]}")


def _equal(left: ast.expr, right: ast.expr) -> ast.stmt:
    return ast.Assert(test=ast.Compare(left=left, ops=[ast.Eq()], comparators=[right]), msg=None)


def _close(call: ast.Call, expected: float, within: float) -> ast.stmt:
    close = ast.parse(f"math.isclose(0, {expected!r}, rel_tol=0.0, abs_tol={within!r})", mode="eval").body
    assert isinstance(close, ast.Call)
    close.args[0] = call
    return ast.Assert(test=close, msg=None)


def _literal(node: ast.expr) -> ast.expr:
    """Write what is expected as a literal, where it is a number or a sequence computed from literals."""
    match node:
        case ast.BinOp():
            return ast.Constant(value=_whole(_number(node)))
        case (
            ast.Tuple(elts=elements)
            | ast.Call(func=ast.Name(id="tuple"), args=[ast.List(elts=elements)], keywords=[])
        ):
            return ast.Tuple(elts=[_literal(element) for element in elements], ctx=ast.Load())
        case ast.Call():
            raise UnfitTestError(f"expects what another call returns: {ast.unparse(node)[:80]}")
        case _:
            return node


def _whole(value: float) -> float:
    """Return an int where there is one: equal to the float, and what the source meant."""
    return int(value) if value.is_integer() else value


def _number(node: ast.expr) -> float:
    """Compute a literal such as `2.0 / 3.0`."""
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_number(operand)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _number(left) + _number(right)
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _number(left) - _number(right)
        case ast.BinOp(left=left, op=ast.Mult(), right=right):
            return _number(left) * _number(right)
        case ast.BinOp(left=left, op=ast.Div(), right=right):
            return _number(left) / _number(right)
        case _:
            raise UnfitTestError(f"no number: {ast.unparse(node)[:80]}")
