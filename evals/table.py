"""Results as tables for a terminal. Percent, with 95 % intervals in brackets; no output here."""

from collections.abc import Mapping

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from evals.compare import Comparison
from evals.results import ALL
from evals.statistics import Estimate
from evals.store import Results


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
    return Group(table, *(Text(line) for line in footnotes(results)))


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
    compared: Mapping[str, Comparison], *, before: Results, after: Results
) -> RenderableType:
    """Render a paired comparison, and warn where the two sides are not like for like."""
    table = Table(
        title=f"{before.source} → {after.source}", box=box.SIMPLE_HEAD, collapse_padding=True, show_edge=False
    )
    table.add_column("domain")
    for heading in ("prompts", "reward", "change", "better", "worse", "p (rise)"):
        table.add_column(heading, justify="right", no_wrap=True)
    for name, row in compared.items():
        table.add_row(
            name,
            f"{row.prompts:,}",
            f"{row.before:.3f} → {row.after:.3f}",
            f"{row.after - row.before:+.3f}",
            f"{row.better:,}",
            f"{row.worse:,}",
            f"{row.p_value:.2g}",
            style="bold" if name == ALL else "",
        )
    return Group(table, *(Text(line) for line in unlike(before, after)))


def unlike(before: Results, after: Results) -> list[str]:
    """Name what differs between two evaluations besides the policy."""
    return [
        f"not like for like: {what} was {mine!r}, then {theirs!r}"
        for what, mine, theirs in (
            ("prompt template", before.prompt_hash, after.prompt_hash),
            ("sampling", before.sampling, after.sampling),
            ("reward versions", dict(before.reward_versions), dict(after.reward_versions)),
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
