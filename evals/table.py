"""Results as tables for a terminal. Percent, with 95 % intervals in brackets; no output here."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.comparing.compare import Comparison, Flip, Metric
from evals.grade import Graded
from evals.results import ALL
from evals.statistics import Estimate
from evals.store import Results
from reward_client.api import Score

_EXCERPT = 120


def results_table(results: Results) -> RenderableType:
    """Render one evaluation: a row for each domain, and what the numbers hang on below."""
    table = Table(
        title=f"{results.source}, {results.split} split, in percent",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        show_edge=False,
    )
    table.add_column("domain", no_wrap=True)
    for heading in ("n", "reward", "format", "accuracy", "given\nformat", "ungraded"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, domain in results.domains.items():
        table.add_row(
            name,
            f"{domain.prompts:,}",
            _percent(domain.reward),
            _percent(domain.format_rate, interval=False),
            _percent(domain.accuracy),
            _percent(domain.accuracy_given_format, interval=False),
            f"{sum(domain.ungraded.values()):,}",
            style="bold" if name == ALL else "",
        )
    return Group(table, *(Text(line) for line in (*_pass_lines(results), *footnotes(results))))


def _pass_lines(results: Results) -> list[str]:
    return [
        f"{name} pass@k: " + ", ".join(f"{k}: {_percent(found)}" for k, found in domain.pass_at.items())
        for name, domain in results.domains.items()
        if domain.pass_at
    ]


def footnotes(results: Results) -> list[str]:
    """Say what the numbers hang on, a line each."""
    notes = [f"{results.domains[ALL].completions:,} completions, {_sampling(results)}"]
    if results.domains[ALL].ungraded:
        kinds = _counts(results.domains[ALL].ungraded)
        notes.append(f"ungraded, and in no number above: {kinds}")
    if results.left_out:
        notes.append(f"examples left out: {_counts(results.left_out)}")
    notes += [
        f"reward {name!r} graded in {len(versions)} versions, the servers differ: {', '.join(versions)}"
        for name, versions in results.reward_versions.items()
        if len(versions) > 1
    ]
    versions = ", ".join(f"{name} {listed[0]}" for name, listed in results.reward_versions.items())
    return [*notes, f"graded by {versions or 'nothing'}"]


def comparison_table(
    compared: Mapping[str, Comparison],
    *,
    metric: Metric,
    before: Results,
    after: Results,
    left_out: Mapping[str, int] = MappingProxyType({}),
) -> RenderableType:
    """Render a paired comparison in percent, and warn where the two sides are not like for like.

    `left_out` counts the prompts that could not be paired, by why.
    """
    table = Table(
        title=f"{before.source} → {after.source}, {metric.value} in percent",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        show_edge=False,
    )
    table.add_column("domain", no_wrap=True)
    for heading in ("n", "before → after", "change [95 %]", "rose", "fell", "p", "MDE"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in compared.items():
        low, high = row.interval
        table.add_row(
            name,
            f"{row.prompts:,}",
            f"{100 * row.before:.1f} → {100 * row.after:.1f}",
            f"{100 * row.difference:+.1f} [{100 * low:+.0f}, {100 * high:+.0f}]",
            f"{row.better:,}",
            f"{row.worse:,}",
            f"{row.p_value if row.p_adjusted is None else row.p_adjusted:.2g}",
            "-" if row.detectable is None else f"{100 * row.detectable:.1f}",
            style="bold" if name == ALL else "",
        )
    tests = " and ".join(sorted({row.test.value for row in compared.values()}))
    notes = (
        f"p: two-sided, {tests}; of domains adjusted for their number (Holm)",
        "MDE: true change that such a comparison finds 4 times of 5, in points",
        *not_paired(left_out),
    )
    return Group(table, *(Text(line) for line in (*notes, *unlike(before, after))))


def not_paired(left_out: Mapping[str, int]) -> list[str]:
    """Say which prompts are in no number of a comparison, in a line if there are any."""
    return [f"prompts in no number above: {_counts(left_out)}"] if left_out else []


def flips_table(changed: Sequence[Flip], *, at_most: int) -> RenderableType:
    """Render the largest falls and rises, as many of each, with what the graders said."""
    falls = [flip for flip in changed if flip.after < flip.before]
    rises = changed[len(falls) :]
    half = at_most // 2
    shown = falls[: max(half, at_most - len(rises))]
    shown = [*shown, *rises[: at_most - len(shown)]]
    table = Table(
        title=f"{len(shown)} of {len(changed)} changed prompts",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        show_edge=False,
    )
    table.add_column("prompt", overflow="fold")
    table.add_column("before", ratio=1)
    table.add_column("after", ratio=1)
    for flip in shown:
        table.add_row(
            Text(flip.example_id),
            Text(_side(flip.before, flip.completions_before)),
            Text(_side(flip.after, flip.completions_after)),
            style="red" if flip.after < flip.before else "green",
        )
    return table


def _side(value: float, completions: Sequence[Graded]) -> str:
    result = completions[0].outcome.result
    said = result.explanation if isinstance(result, Score) else result.message
    return f"{100 * value:.0f}: {said[:_EXCERPT]}"


def unlike(before: Results, after: Results) -> list[str]:
    """Name what differs between two evaluations besides the policy."""
    shared = before.reward_versions.keys() & after.reward_versions.keys()
    versions = (
        (f"version of reward {name!r}", *(", ".join(side.reward_versions[name]) for side in (before, after)))
        for name in sorted(shared)
    )
    return [
        f"not like for like: {what} was {mine!r}, then {theirs!r}"
        for what, mine, theirs in (
            ("what was asked", before.split, after.split),
            ("prompt template", before.prompt_hash, after.prompt_hash),
            ("sampling", before.sampling, after.sampling),
            *versions,
        )
        if mine != theirs
    ]


def _sampling(results: Results) -> str:
    if results.sampling is None:
        return "sampled elsewhere"
    drawn = results.sampling
    how = (
        "greedy"
        if drawn.temperature == 0
        else f"{drawn.samples} a prompt at temperature {drawn.temperature:g}, seed {drawn.seed}"
    )
    cut = f", {results.truncated:,} cut at {drawn.max_new_tokens} tokens" if results.truncated else ""
    return f"{how}{cut}, prompt template {results.prompt_hash}"


def _percent(estimate: Estimate | None, *, interval: bool = True) -> str:
    if estimate is None:
        return "-"
    mean = f"{100 * estimate.mean:.1f}"
    low, high = estimate.interval
    return f"{mean} [{100 * low:.0f}, {100 * high:.0f}]" if interval else mean


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items()))
