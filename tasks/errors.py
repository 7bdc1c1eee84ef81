"""Every error of this package, by the border that was crossed.

TasksError
├── DataUnavailableError   a source could not be read at all: says what to put where
│   └── SplitAbsentError   a source does not have one split; it may have others
├── RowsError              rows do not have the columns their dataset promises
└── MixtureError           a mix was asked for that cannot be made, or means two things
"""


class TasksError(Exception):
    """Base of all errors raised on purpose in this package."""


class DataUnavailableError(TasksError):
    """A source, or every dataset asked of it, could not be read."""


class SplitAbsentError(DataUnavailableError):
    """A source does not have one split of one dataset."""


class RowsError(TasksError):
    """Rows of one split are malformed. Nothing of the split was used."""

    def __init__(
        self, *, dataset: str, row: int, column: str, problem: str, malformed: int, rows: int
    ) -> None:
        super().__init__(
            f"{dataset}: {malformed} of {rows} rows are malformed; the first is row {row}, "
            f"column {column!r}: {problem}"
        )
        self.dataset = dataset
        self.row = row
        self.column = column
        self.malformed = malformed


class MixtureError(TasksError):
    """The mix cannot be made as asked."""
