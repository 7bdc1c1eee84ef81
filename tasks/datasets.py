"""The table of datasets: where each comes from, how its rows are read, which rows are left out.

Adding a dataset is an adapter and a line in `DATASETS`. Nothing here reads a file.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tasks.adapters.boolean import strategyqa
from tasks.adapters.choice import ai2_arc, sciq
from tasks.adapters.gsm8k import gsm8k
from tasks.adapters.item import Item
from tasks.adapters.mbpp import mbpp, mbpp_sanitized
from tasks.adapters.text import dolly, writingprompts, xsum
from tasks.api import Domain, Example, Split
from tasks.errors import RowsError
from tasks.rows import ColumnError, Row

REWARDS: Mapping[Domain, str] = MappingProxyType(
    {
        Domain.MATH: "math",
        Domain.CODE: "code",
        Domain.SCIENCE: "choice",
        Domain.LOGIC: "boolean",
        Domain.WRITING: "writing",
        Domain.IDEATION: "ideation",
        Domain.SUMMARY: "summary",
    }
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Dataset:
    """One dataset. Its name is also its folder in a directory of data.

    `hub_rows` bounds the rows taken of a split from the hub, where a split is far larger
    than any mix needs. `excluded` maps row ids to why they are left out.
    """

    name: str
    adapter: Callable[[Row], Item | None]
    hub_path: str
    hub_config: str | None = None
    hub_rows: int | None = None
    excluded: Mapping[str, str] = field(default_factory=dict[str, str])


_NEEDS_CLASS = "the tests build arguments from a class of the reference solution that the prompt never names"

DATASETS: Mapping[str, Dataset] = MappingProxyType(
    {
        dataset.name: dataset
        for dataset in (
            Dataset(name="gsm8k", adapter=gsm8k, hub_path="openai/gsm8k", hub_config="main"),
            Dataset(
                name="mbpp",
                adapter=mbpp,
                hub_path="google-research-datasets/mbpp",
                hub_config="full",
                excluded=dict.fromkeys(("367", "601", "927"), _NEEDS_CLASS),
            ),
            Dataset(
                name="mbpp_sanitized",
                adapter=mbpp_sanitized,
                hub_path="google-research-datasets/mbpp",
                hub_config="sanitized",
                excluded=dict.fromkeys(("367", "601", "927"), _NEEDS_CLASS),
            ),
            Dataset(name="sciq", adapter=sciq, hub_path="allenai/sciq"),
            Dataset(
                name="arc_challenge", adapter=ai2_arc, hub_path="allenai/ai2_arc", hub_config="ARC-Challenge"
            ),
            Dataset(name="arc_easy", adapter=ai2_arc, hub_path="allenai/ai2_arc", hub_config="ARC-Easy"),
            Dataset(name="strategyqa", adapter=strategyqa, hub_path="ChilleD/StrategyQA"),
            Dataset(
                name="writingprompts",
                adapter=writingprompts,
                hub_path="euclaise/writingprompts",
                hub_rows=20_000,
            ),
            Dataset(name="dolly", adapter=dolly, hub_path="databricks/databricks-dolly-15k"),
            Dataset(name="xsum", adapter=xsum, hub_path="EdinburghNLP/xsum", hub_rows=20_000),
        )
    }
)

# The sanitised MBPP repeats the full one's tasks, across splits too: never both unless asked.
DEFAULT_DATASETS: tuple[str, ...] = tuple(name for name in DATASETS if name != "mbpp_sanitized")


def read_rows(
    dataset: Dataset, split: Split, rows: Iterable[Mapping[str, object]]
) -> tuple[list[Example], dict[str, str]]:
    """Turn the rows of one split into examples, and say which were left out by name and why.

    Raises:
        RowsError: at least one row is malformed, or two share an id.
    """
    examples: list[Example] = []
    excluded: dict[str, str] = {}
    problems: list[tuple[int, str, str]] = []
    seen: set[str] = set()
    count = 0
    for count, columns in enumerate(rows, start=1):
        row = Row(dataset=dataset.name, split=split, number=count, columns=columns)
        try:
            item = dataset.adapter(row)
            if item is not None and item.row_id in seen:
                raise ColumnError("id", f"{item.row_id!r} is used twice")  # noqa: TRY301 - gathered below
        except ColumnError as error:
            problems.append((count, error.column, error.problem))
            continue
        if item is None:
            continue
        seen.add(item.row_id)
        example = _example(dataset, split, item)
        if item.row_id in dataset.excluded:
            excluded[example.example_id] = dataset.excluded[item.row_id]
        else:
            examples.append(example)
    if problems:
        row_number, column, problem = problems[0]
        raise RowsError(
            dataset=f"{dataset.name}/{split.value}",
            row=row_number,
            column=column,
            problem=problem,
            malformed=len(problems),
            rows=count,
        )
    return examples, excluded


def _example(dataset: Dataset, split: Split, item: Item) -> Example:
    return Example(
        example_id=f"{dataset.name}/{split.value}/{item.row_id}",
        dataset=dataset.name,
        domain=item.domain,
        split=split,
        question=item.question,
        prompt=item.prompt,
        reward=REWARDS[item.domain],
        reference=item.reference,
        demonstration=item.demonstration,
    )
