"""The completions of a run in DuckDB, kept up with the files that a live run adds.

A file is one step of training (`rollouts/step-000012.parquet`); a step that a resumed run
repeats replaces what was there, and one whose file is gone goes. A file that cannot be read,
because it is being copied or was cut, is named and tried again; the others are shown.
Nothing here trusts the texts in the files.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

import duckdb

from evals.errors import ResultsError

DIRECTORY = "rollouts"
# A group that taught nothing: fewer than two scores, or all of them equal.
_GROUPS = """
    SELECT step, group_id, any_value(example_id) AS example_id, any_value(domain) AS domain,
        any_value(reward) AS reward, any_value(prompt) AS prompt, count(*) AS completions,
        count(score) AS scores, avg(score) AS mean, coalesce(stddev_pop(score), 0) AS spread,
        list(score ORDER BY sample_id) AS all_scores, list(advantage ORDER BY sample_id) AS advantages,
        list(coalesce(verdict, 'UNGRADED') ORDER BY sample_id) AS verdicts,
        list_distinct(list(failure)) AS failures,
        count(score) < 2 OR coalesce(max(score) - min(score), 0) < 1e-9 AS flat
    FROM rollouts GROUP BY step, group_id
"""
# As the trainer writes them (`trainer/run_files/rollouts.py`).
_COLUMNS = """
    step INTEGER, sample_id VARCHAR, group_id VARCHAR, example_id VARCHAR, domain VARCHAR, reward VARCHAR,
    prompt VARCHAR, completion VARCHAR, tokens INTEGER, truncated BOOLEAN, score DOUBLE, format DOUBLE,
    correctness DOUBLE, quality DOUBLE, visible DOUBLE, hidden DOUBLE, components VARCHAR, verdict VARCHAR,
    failure VARCHAR, explanation VARCHAR, reward_version VARCHAR, advantage DOUBLE, in_loss BOOLEAN
"""
_REPLACED = "DELETE FROM rollouts WHERE step IN (SELECT DISTINCT step FROM read_parquet($paths))"

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupFilter:
    """Which groups are wanted; an empty text and None ask for any."""

    step: int | None = None
    domain: str = ""
    verdict: str = ""
    failed: bool = False
    flat: bool | None = None
    query: str = ""


class Rollouts:
    """An in-memory table of one run's completions; safe to use from several threads.

    `unreadable` names the files that could not be taken in at the last `refresh`.
    """

    def __init__(self, run_dir: Path) -> None:
        if not run_dir.is_dir():
            raise ResultsError(f"no run at {str(run_dir)!r}: pass the directory of a training run")
        self._directory = run_dir / DIRECTORY
        self._seen: dict[Path, int] = {}
        self._lock = Lock()
        self._database = duckdb.connect(":memory:")
        self._database.execute(f"CREATE TABLE rollouts ({_COLUMNS})")
        self.version = 0
        self.unreadable: tuple[str, ...] = ()

    def refresh(self) -> int:
        """Take in what is new, and return a number that changes when something was."""
        with self._lock:
            found = self._files()
            gone = [path for path in self._seen if path not in found]
            new = [path for path, changed in found.items() if self._seen.get(path) != changed]
            cut = self._take(new)
            for path in (*gone, *cut):
                self._forget(path)
            self._seen |= {path: found[path] for path in new if path not in cut}
            unreadable = tuple(path.name for path in cut)
            if gone or len(new) > len(cut) or unreadable != self.unreadable:
                self.version += 1
            self.unreadable = unreadable
            return self.version

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Row]:
        """Return the rows of a query over the table `rollouts`, which is empty before the first step."""
        with self._lock:
            cursor = self._database.execute(sql, parameters)
            names = [column[0] for column in cursor.description or ()]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def groups(self, wanted: GroupFilter, *, offset: int, limit: int) -> tuple[int, list[Row]]:
        """Return how many groups there are, and those from `offset` on, the newest step first."""
        conditions, parameters = _conditions(wanted)
        chosen = f"SELECT * FROM ({_GROUPS}) WHERE {conditions}"  # noqa: S608 - texts of ours; values are parameters
        (total,) = self.rows(f"SELECT count(*) AS n FROM ({chosen})", parameters) or [{"n": 0}]  # noqa: S608
        page = f"{chosen} ORDER BY step DESC, group_id LIMIT $limit OFFSET $offset"
        return total["n"], self.rows(page, {**parameters, "limit": limit, "offset": offset})

    def completions(self, step: int, group_id: str) -> list[Row]:
        """Return the completions of a group in order."""
        return self.rows(
            "SELECT * FROM rollouts WHERE step = $step AND group_id = $group ORDER BY sample_id",
            {"step": step, "group": group_id},
        )

    def of_prompt(self, step: int, example_id: str) -> list[Row]:
        """Return the completions of a prompt in a step, of all its groups."""
        return self.rows(
            "SELECT * FROM rollouts WHERE step = $step AND example_id = $example ORDER BY sample_id",
            {"step": step, "example": example_id},
        )

    def _files(self) -> dict[Path, int]:
        """Return the steps on file with when they changed; one may vanish while it is looked at."""
        found: dict[Path, int] = {}
        for path in sorted(self._directory.glob("step-*.parquet")):
            with suppress(FileNotFoundError):
                found[path] = path.stat().st_mtime_ns
        return found

    def _take(self, paths: Sequence[Path]) -> list[Path]:
        """Take in files, and return those that cannot be read."""
        if not paths or self._insert(paths):
            return []
        return [path for path in paths if not self._insert([path])]

    def _insert(self, paths: Sequence[Path]) -> bool:
        """Put all rows of all these files in the place of their steps, or change nothing."""
        names = {"paths": [str(path) for path in paths]}
        self._database.execute("BEGIN")
        try:
            self._database.execute(_REPLACED, names)
            self._database.execute("INSERT INTO rollouts BY NAME SELECT * FROM read_parquet($paths)", names)
            self._database.execute("COMMIT")
        except duckdb.Error:
            self._database.execute("ROLLBACK")
            return False
        return True

    def _forget(self, path: Path) -> None:
        """Remove the step of a file that was taken and is not there, or is not whole, any more."""
        number = path.stem.removeprefix("step-")
        if self._seen.pop(path, None) is not None and number.isdecimal():
            self._database.execute("DELETE FROM rollouts WHERE step = $step", {"step": int(number)})


def _conditions(wanted: GroupFilter) -> tuple[str, dict[str, object]]:
    conditions, parameters = ["true"], dict[str, object]()
    for name, condition, value in (
        ("step", "step = $step", wanted.step),
        ("domain", "domain = $domain", wanted.domain or None),
        ("verdict", "list_contains(verdicts, $verdict)", wanted.verdict or None),
        ("flat", "flat = $flat", wanted.flat),
    ):
        if value is not None:
            conditions.append(condition)
            parameters[name] = value
    if wanted.failed:
        conditions.append("len(failures) > 0")
    if wanted.query:
        conditions.append(
            "group_id || ' ' || step IN (SELECT group_id || ' ' || step FROM rollouts WHERE "
            "contains(lower(concat_ws('\\n', prompt, completion, explanation, example_id)), $query))"
        )
        parameters["query"] = wanted.query.lower()
    return " AND ".join(conditions), parameters
