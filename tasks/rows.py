"""A row as it came, and typed reading of its columns: where untyped data becomes typed.

Columns that no adapter reads are ignored, so that a dataset may grow; a column that is
missing or of another type is a `ColumnError`, which `sources` gathers per split.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from tasks.api import Split


class ColumnError(Exception):
    """One column of one row cannot be read."""

    def __init__(self, column: str, problem: str) -> None:
        super().__init__(f"column {column!r}: {problem}")
        self.column = column
        self.problem = problem


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row. `number` is its place in the split, from 1."""

    dataset: str
    split: Split
    number: int
    columns: Mapping[str, object]

    def has(self, column: str) -> bool:
        """Say whether the row has a column at all."""
        return column in self.columns

    def text(self, column: str) -> str:
        """Read a string; it may be empty.

        Raises:
            ColumnError: missing, or not a string.
        """
        value = self._get(column)
        if not isinstance(value, str):
            raise ColumnError(column, f"expected a string, got {value!r:.80}")
        return value

    def filled(self, column: str) -> str:
        """Read a string with more than white space in it, stripped.

        Raises:
            ColumnError: missing, not a string, or blank.
        """
        value = self.text(column).strip()
        if not value:
            raise ColumnError(column, "is blank")
        return value

    def texts(self, column: str) -> tuple[str, ...]:
        """Read a list of strings; it may be empty.

        Raises:
            ColumnError: missing, or not a list of strings.
        """
        return _texts(column, self._get(column))

    def flag(self, column: str) -> bool:
        """Read a boolean.

        Raises:
            ColumnError: missing, or not a boolean.
        """
        value = self._get(column)
        if not isinstance(value, bool):
            raise ColumnError(column, f"expected true or false, got {value!r:.80}")
        return value

    def real(self, column: str) -> float:
        """Read a number.

        Raises:
            ColumnError: missing, or not a number.
        """
        value = self._get(column)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise ColumnError(column, f"expected a number, got {value!r:.80}")
        return float(value)

    def identifier(self, column: str) -> str:
        """Read an id, which hub datasets write as a number or a string.

        Raises:
            ColumnError: missing, blank, or neither.
        """
        value = self._get(column)
        if isinstance(value, bool) or not isinstance(value, int | str) or value == "":
            raise ColumnError(column, f"expected a number or a string, got {value!r:.80}")
        return str(value)

    def nested_texts(self, column: str, key: str) -> tuple[str, ...]:
        """Read a list of strings inside a column that holds an object.

        Raises:
            ColumnError: missing, not an object, or not a list of strings under `key`.
        """
        value = self._get(column)
        if not isinstance(value, Mapping) or key not in value:
            raise ColumnError(column, f"expected an object with {key!r}, got {value!r:.80}")
        # JSON and Arrow both give string keys; the values are checked next.
        return _texts(f"{column}.{key}", cast("Mapping[str, object]", value)[key])

    def _get(self, column: str) -> object:
        if column not in self.columns:
            raise ColumnError(column, f"is missing; the row has {sorted(self.columns)}")
        return self.columns[column]


def _texts(column: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, list | tuple):
        raise ColumnError(column, f"expected a list of strings, got {value!r:.80}")
    # Checked item by item below.
    items = cast("list[object]", value)
    wrong = [item for item in items if not isinstance(item, str)]
    if wrong:
        raise ColumnError(column, f"expected strings only, got {wrong[0]!r:.80}")
    return tuple(cast("list[str]", items))
