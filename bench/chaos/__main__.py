"""Plays every fault against two real servers behind one client, and prints what came of it.

    python -m bench.chaos [--seconds 5] [--only WORDS]

A row a fault: samples sent, and what their callers got. `lost` got neither score nor failure,
`duplicated` got two, `wrong` got another value than the known one, and `false zeros` are those
of them that got 0. The exit code is 1 when there is one of these, a failure of a kind that the fault
does not excuse, or a defect in a server's log.
Loopback only; with dockerd and root, programs run in an engine of this command's own, without
them there are no programs and no rows about them.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from bench.chaos.lab import Lab, lab
from bench.chaos.ledger import Row
from bench.chaos.scenarios import SCENARIOS, play, warm_up
from bench.memory import descendants
from bench.private_engine import why_not

HEAD = (
    "fault",
    "sent",
    "scores",
    "failures",
    "lost",
    "duplicated",
    "wrong",
    "false zeros",
    "trainer's steps",
    "calls sent again",
    "longest call, s",
    "whole again after, s",
)


def cells(row: Row) -> tuple[str, ...]:
    """Write a row as the table has it."""
    counts = (row.lost, row.duplicated, row.wrong, row.false_zeros, row.steps)
    name = row.name + (f" ({row.versions} versions seen)" if row.versions > 1 else "")
    return (
        name,
        f"{row.sent:,}",
        f"{row.scores:,}",
        ", ".join(f"{kind} {count}" for kind, count in sorted(row.failures.items())) or "0",
        *map(str, counts),
        str(row.retries.total()),
        f"{row.longest_s:.1f}",
        "never" if row.recovery_s is None else f"{row.recovery_s:.1f}",
    )


def line(texts: tuple[str, ...]) -> str:
    return f"| {' | '.join(texts)} |"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each fault strikes")
    parser.add_argument("--only", default="", help="only faults with these words in their name")
    options = parser.parse_args()
    reason = why_not()
    if reason:
        print(f"without programs: {reason}", file=sys.stderr)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="assay-chaos-") as directory:
        with lab(Path(directory), engine=not reason) as site:
            warm_up(site)
            rows = perform(site, options.seconds, options.only)
            defects = site.defects()
        left = descendants({int(Path("/proc/self").resolve().name)})
    remarks = [f"{row.name}: {remark}" for row in rows for remark in row.remarks]
    for remark in (*remarks, *(f"in a server's log: {each}" for each in defects[:5])):
        print(remark, file=sys.stderr)
    broken, sent = sum(row.broken for row in rows), sum(row.sent for row in rows)
    print(
        f"\n{sent:,} samples in {time.monotonic() - began:.0f} s: promises broken {broken}, "
        f"defects in the logs {len(defects)}, processes left {len(left)}"
    )
    return 1 if broken or defects or left or any(row.recovery_s is None for row in rows) else 0


def perform(site: Lab, seconds: float, words: str) -> list[Row]:
    """Play the faults one after the other, and print each row when it is known."""
    rows: list[Row] = []
    print(line(HEAD))
    print(line(("---", *("--:" for _ in HEAD[1:]))))
    for scenario in SCENARIOS:
        if words in scenario.name and not (scenario.needs_engine and site.engine is None):
            rows.append(play(scenario, site, seconds=seconds))
            print(line(cells(rows[-1])), flush=True)
    return rows


if __name__ == "__main__":
    sys.exit(main())
