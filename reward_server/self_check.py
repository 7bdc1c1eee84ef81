"""`python -m reward_server --self-check`: whether this host may grade code, case by case."""

import asyncio
import sys
from collections.abc import Sequence

from reward_server.errors import SandboxUnavailableError
from reward_server.rewards.code import CodeReward
from reward_server.rewards.code.canary import Checked, complaint, examine, load_cases
from sandbox.api import SandboxError
from sandbox.opening import open_sandbox
from sandbox.options import SandboxOptions


def run(options: SandboxOptions) -> int:
    """Run the canary without serving, print a table, and return the exit code: 0 when all is well."""
    return asyncio.run(_run(options))


async def _run(options: SandboxOptions) -> int:
    try:
        sandbox = await open_sandbox(options)
        try:
            checked = await examine(CodeReward(sandbox), load_cases(), at_once=sandbox.slots)
        finally:
            await sandbox.close()
    except (SandboxError, SandboxUnavailableError) as error:
        sys.stdout.write(f"self-check: {error}\n")
        return 1
    sys.stdout.write(table(checked))
    return int(complaint(checked) is not None)


def table(checked: Sequence[Checked]) -> str:
    """Write the cases for a terminal: a line each, then what follows from them."""
    width = max(len(each.case.name) for each in checked)
    lines = [f"{'':<7}{'attack':>6}  {'program':<{width}}  verdict"]
    for each in checked:
        attack = "honest" if each.case.catalogue_row is None else str(each.case.catalogue_row)
        word = "ok" if each.passed else "WRONG"
        lines.append(f"{word:<7}{attack:>6}  {each.case.name:<{width}}  {each.verdict}")
    hostile = sum(each.case.catalogue_row is not None for each in checked)
    wrong = complaint(checked)
    last = f"{hostile} hostile programs earned nothing, {len(checked) - hostile} honest ones full marks"
    lines.append(f"self-check: {last}" if wrong is None else f"self-check: code would be refused: {wrong}")
    return "\n".join(lines) + "\n"
