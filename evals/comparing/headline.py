"""What an evaluation or a comparison found, in one sentence that claims no more than the numbers do."""

from evals.comparing.compare import Comparison, Metric
from evals.results import DomainSummary


def of_run(summary: DomainSummary) -> str:
    """Say how good a policy is over all domains."""
    if summary.accuracy is None:
        return "nothing could be graded"
    low, high = summary.accuracy.interval
    formed = f", {100 * summary.format_rate.mean:.1f} % well-formed" if summary.format_rate else ""
    return (
        f"accuracy {100 * summary.accuracy.mean:.1f} % [{100 * low:.1f}, {100 * high:.1f}]{formed}, "
        f"over {summary.prompts:,} prompts"
    )


def of_comparison(row: Comparison, *, metric: Metric = Metric.ACCURACY) -> str:
    """Say whether a metric changed over all domains, and what could have been seen."""
    low, high = row.interval
    change = (
        f"from {100 * row.before:.1f} to {100 * row.after:.1f} %: {100 * row.difference:+.1f} points "
        f"[{100 * low:+.1f}, {100 * high:+.1f}], p = {row.p_value:.2g}, over {row.prompts:,} prompts"
    )
    if row.verdict:
        return f"{metric.value} {'rose' if row.verdict == 'better' else 'fell'} {change}"
    seen = (
        "" if row.detectable is None else f"; a true change of {100 * row.detectable:.1f} would mostly show"
    )
    return f"{metric.value} did not measurably change, {change}{seen}"
