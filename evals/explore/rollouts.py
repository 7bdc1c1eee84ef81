"""The completions of a run in DuckDB, kept up with the files that a live run adds.

A file is one step of training (`rollouts/step-000012.parquet`); a step that a resumed run
repeats replaces what was there. Nothing here trusts the texts in the files.
"""

from collections.abc import Mapping, Sequence
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
    """An in-memory table of one run's completions; safe to use from several threads."""

    def __init__(self, run_dir: Path) -> None:
        if not run_dir.is_dir():
            raise ResultsError(f"no run at {str(run_dir)!r}: pass the directory of a training run")
        self._directory = run_dir / DIRECTORY
        self._seen: dict[Path, int] = {}
        self._lock = Lock()
        self._database = duckdb.connect(":memory:")
        self.version = 0

    def refresh(self) -> int:
        """Take in what is new, and return a number that changes when something was."""
        with self._lock:
            found = {path: path.stat().st_mtime_ns for path in sorted(self._directory.glob("step-*.parquet"))}
            new = [path for path, changed in found.items() if self._seen.get(path) != changed]
            if new:
                self._take([str(path) for path in new])
                self._seen |= {path: found[path] for path in new}
                self.version += 1
            return self.version

    def rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> list[Row]:
        """Return the rows of a query over the table `rollouts`; none before the first step."""
        with self._lock:
            if not self._seen:
                return []
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

    def _take(self, paths: Sequence[str]) -> None:
        new = "SELECT * FROM read_parquet($paths)"
        if not self._seen:
            self._database.execute(f"CREATE TABLE rollouts AS {new}", {"paths": paths})
            return
        taken = "DELETE FROM rollouts WHERE step IN (SELECT DISTINCT step FROM read_parquet($paths))"
        self._database.execute(taken, {"paths": paths})
        self._database.execute(f"INSERT INTO rollouts {new}", {"paths": paths})


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
