"""What a page shows, as plain JSON values: numbers, and every completion with what became of it.

A side is one evaluation: a run has one, a comparison two. Texts of candidates are data
here and stay data in the page, which never turns them into markup.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from evals.comparing.compare import Comparison, Metric, compare
from evals.comparing.headline import of_comparison, of_run
from evals.comparing.pairing import pair
from evals.grade import Graded
from evals.held_out import Point
from evals.results import ALL, DomainSummary
from evals.statistics import TIE, Estimate
from evals.store import Results
from evals.table import footnotes, not_paired, unlike
from reward_client.api import Score

Json = Mapping[str, object]


@dataclass(frozen=True, kw_only=True, slots=True)
class Side:
    """One evaluation as it was stored."""

    label: str
    results: Results
    graded: Sequence[Graded]
    held_out: Sequence[Point] = ()
    """The curve of the run that the policy belongs to, where there is one."""


def page_content(sides: Sequence[Side], *, title: str, seed: int = 0) -> Json:
    """Return everything that the page's script needs, but the figures."""
    content: dict[str, object] = {
        "title": title,
        "headline": of_run(sides[-1].results.domains[ALL]),
        "sides": [_side(side) for side in sides],
        "items": _items(sides),
        "notes": list(footnotes(sides[-1].results)),
        "comparison": None,
    }
    if len(sides) == 2:
        before, after = sides
        compared = {
            metric.value: compare(before.graded, after.graded, metric=metric, seed=seed) for metric in Metric
        }
        content["headline"] = of_comparison(compared[Metric.ACCURACY.value][ALL])
        content["comparison"] = {
            metric: {name: _comparison(row) for name, row in rows.items()}
            for metric, rows in compared.items()
        }
        content["notes"] = [
            *not_paired(pair(before.graded, after.graded).left_out),
            *unlike(before.results, after.results),
            *(f"{side.label}: {note}" for side in sides for note in footnotes(side.results)),
        ]
    return content


def _side(side: Side) -> Json:
    return {
        "label": side.label,
        "source": side.results.source,
        "split": side.results.split,
        "domains": {name: _domain(domain) for name, domain in side.results.domains.items()},
    }


def _domain(domain: DomainSummary) -> Json:
    return {
        "prompts": domain.prompts,
        "completions": domain.completions,
        "ungraded": dict(domain.ungraded),
        "accuracy": _estimate(domain.accuracy),
        "reward": _estimate(domain.reward),
        "format": _estimate(domain.format_rate),
        "given_format": _estimate(domain.accuracy_given_format),
        "pass_at": {str(k): _estimate(found) for k, found in domain.pass_at.items()},
    }


def _estimate(estimate: Estimate | None) -> Sequence[float] | None:
    """Mean, low and high; rounded, because a page of thousands of numbers is read, not computed with."""
    if estimate is None:
        return None
    return [round(number, 4) for number in (estimate.mean, *estimate.interval)]


def _comparison(row: Comparison) -> Json:
    return {
        **asdict(row),
        "test": row.test.value,
        "difference": row.difference,
        "verdict": row.verdict,
    }


def _items(sides: Sequence[Side]) -> list[Json]:
    """Return a row a prompt, in the order of the first side, with its completions on each side."""
    by_prompt: dict[str, list[list[Graded]]] = {}
    for index, side in enumerate(sides):
        for graded in side.graded:
            by_prompt.setdefault(graded.example_id, [[] for _ in sides])[index].append(graded)
    paired = pair(sides[0].graded, sides[1].graded).prompts if len(sides) == 2 else frozenset[str]()
    return [
        _item(example_id, per_side, paired=example_id in paired) for example_id, per_side in by_prompt.items()
    ]


def _item(example_id: str, per_side: Sequence[Sequence[Graded]], *, paired: bool) -> Json:
    first = next(graded for listed in per_side for graded in listed)
    means = [_mean(listed) for listed in per_side]
    return {
        "id": example_id,
        "domain": first.domain.value,
        "reward": first.reward,
        "prompts": list(dict.fromkeys(listed[0].prompt for listed in per_side if listed)),
        "sides": [[_completion(graded) for graded in listed] for listed in per_side],
        "means": means,
        "change": _change(means, paired=paired),
    }


def _mean(listed: Sequence[Graded]) -> float | None:
    values = [Metric.ACCURACY.of(graded.score) for graded in listed if graded.score is not None]
    return sum(values) / len(values) if values else None


def _change(means: Sequence[float | None], *, paired: bool) -> str | None:
    """Name the change of accuracy from the first side to the second, None where there is one side."""
    match means:
        case [float() as before, float() as after] if paired:
            difference = after - before
            return "better" if difference > TIE else "worse" if difference < -TIE else "same"
        case [_, _]:
            return "unpaired"
        case _:
            return None


def _completion(graded: Graded) -> Json:
    result = graded.outcome.result
    shared = {"text": graded.completion, "about": [graded.outcome.reward_version]}
    if isinstance(result, Score):
        return {
            **shared,
            "verdict": result.verdict,
            "value": round(result.value, 4),
            "components": {name: round(value, 4) for name, value in result.components.items()},
            "explanation": result.explanation,
        }
    return {**shared, "verdict": "UNGRADED", "kind": result.kind, "explanation": result.message}
