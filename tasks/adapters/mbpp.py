"""MBPP, full and sanitised: short Python functions with assertions.

The prompt shows the function's name and the first test only; all tests grade. The
datasets' own prompts name neither, so that a model could only guess what the tests call.
Two columns that the datasets do not have are read where they are: `hidden_test_list` and
`reference_cpu_ms`, see `tasks.held_out`.
"""

import ast
import warnings
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from reward_client.api import CodeReference
from tasks.adapters.item import Item
from tasks.api import Demonstration, Domain
from tasks.rows import ColumnError, Row

# CPU milliseconds of reference solutions that the default budget has no room for: 123 needs 2 to 5 s.
SLOW_REFERENCES_MS: Mapping[str, float] = MappingProxyType({"123": 4_000.0})


def mbpp(row: Row) -> Item:
    """Columns: task_id, text, code, test_list, test_setup_code. challenge_test_list is not used."""
    return _item(row, text="text", setup=row.text("test_setup_code"), imports=())


def mbpp_sanitized(row: Row) -> Item:
    """Columns: task_id, prompt, code, test_imports, test_list."""
    return _item(row, text="prompt", setup="", imports=row.texts("test_imports"))


def _item(row: Row, *, text: str, setup: str, imports: tuple[str, ...]) -> Item:
    question, tests = row.filled(text), tuple(_lines(t).strip() for t in row.texts("test_list"))
    if not tests:
        raise ColumnError("test_list", "is empty")
    code = _lines(row.filled("code"))
    name = _tested_function(code, tests)
    return Item(
        row_id=row.identifier("task_id"),
        domain=Domain.CODE,
        question=question,
        prompt=f"{question}\nDefine `{name}` so that this holds: {tests[0]}",
        reference=CodeReference(
            tests=tests,
            setup=_lines(setup),
            imports=imports,
            entry_point=name,
            hidden_tests=row.texts("hidden_test_list") if row.has("hidden_test_list") else (),
            reference_cpu_ms=_reference_cpu_ms(row),
        ),
        demonstration=Demonstration(reasoning=f"I define `{name}`.", answer=code),
    )


def _reference_cpu_ms(row: Row) -> float:
    if row.has("reference_cpu_ms"):
        return row.real("reference_cpu_ms")
    return SLOW_REFERENCES_MS.get(row.identifier("task_id"), 0.0)


def _lines(source: str) -> str:
    """Most of MBPP has CRLF line ends."""
    return source.replace("\r\n", "\n").replace("\r", "\n")


def _tested_function(code: str, tests: Sequence[str]) -> str:
    """Find which function of the reference solution the first test calls.

    Raises:
        ColumnError: the solution or the test is not Python, or the test calls nothing of the solution.
    """
    defined = {
        node.name
        for node in _parse("code", code).body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    calls = (node for node in ast.walk(_parse("test_list", tests[0])) if isinstance(node, ast.Call))
    called = [c.func.id for c in calls if isinstance(c.func, ast.Name) and c.func.id in defined]
    if not called:
        raise ColumnError("test_list", f"{tests[0]!r:.80} calls none of {sorted(defined)}")
    return called[0]


def _parse(column: str, source: str) -> ast.Module:
    with warnings.catch_warnings():
        # Unescaped backslashes in patterns are common in MBPP and still run.
        warnings.simplefilter("ignore", SyntaxWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            return ast.parse(source)
        except SyntaxError as error:
            raise ColumnError(column, f"is not Python: {error}") from error
