"""How unlike its siblings an answer is: the one measure that needs more than one sample.

Siblings are samples of one call with the same reward and the same non-empty `group_id`.
Where the reward asks for it (`RewardInfo.compares_siblings`), each answer of some quality that
has at least one such sibling gets the component

    diversity_i = 1 - mean over siblings j of |G_i & G_j| / |G_i|

where G is the set of an answer's word 4-grams: pairwise overlap in the place of Self-BLEU
(Zhu et al. 2018), in [0, 1], 0 among copies. Its part in the value is

    format_weight + task_weight * quality_i * (1 - diversity_weight * (1 - diversity_i))

It is added after the cache, which therefore never holds what belongs to another group.
"""

from collections import Counter
from collections.abc import Callable, Container, Sequence
from dataclasses import replace

from reward_server.api import Failure, Measure, Outcome, Sample, Score
from reward_server.rewards.text_statistics import ngrams
from reward_server.rewards.text_words import words
from reward_server.rewards.xml_gate import Open, open_gate
from reward_server.scores import DIVERSITY, FORMAT, ScoringConfig
from reward_server.scoring.pace import Pace

_GRAM = 4
# No trainer samples more completions of a prompt; bounds the memory of one comparison.
LARGEST_GROUP = 64


async def compare_siblings(
    samples: Sequence[Sample],
    outcomes: Sequence[Outcome],
    *,
    compared: Container[str],
    scoring: ScoringConfig,
    late: Callable[[], Failure | None],
    pace: Pace,
) -> list[Outcome]:
    """Return the outcomes with the siblings' part, for the rewards named in `compared`.

    A group that is not reached in time keeps its outcomes where diversity is only reported;
    where it is part of the value there is no score without it.
    """
    found = list(outcomes)
    for places in _groups(samples, outcomes, compared):
        if failure := late():
            if scoring.diversity_weight:
                for place in places:
                    found[place] = replace(found[place], result=failure)
            continue
        values = await _diversities([_said(samples[place]) for place in places], pace)
        for place, value in zip(places, values, strict=True):
            found[place] = _with_diversity(found[place], value, scoring)
    return found


def diversity(own: set[tuple[str, ...]], owners: Counter[tuple[str, ...]], siblings: int) -> float:
    """Return one answer's diversity; `owners` counts the answers, itself included, that have each n-gram."""
    return 1.0 - sum(owners[gram] - 1 for gram in own) / (len(own) * siblings)


async def _diversities(texts: Sequence[str], pace: Pace) -> list[float]:
    """Compare all texts of a group, in time linear in their words."""
    grams: list[set[tuple[str, ...]]] = []
    owners: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        if pace.due():
            await pace.rest()
        said = words(text)
        grams.append(ngrams(said, min(_GRAM, len(said))))
        owners.update(grams[-1])
    values: list[float] = []
    for own in grams:
        if pace.due():
            await pace.rest()
        values.append(diversity(own, owners, len(texts) - 1))
    return values


def _groups(
    samples: Sequence[Sample], outcomes: Sequence[Outcome], compared: Container[str]
) -> list[list[int]]:
    """Return the places of the samples to compare, group by group."""
    groups: dict[tuple[str, str], list[int]] = {}
    for place, sample in enumerate(samples):
        if sample.group_id and sample.reward in compared and _has_quality(outcomes[place]):
            groups.setdefault((sample.reward, sample.group_id), []).append(place)
    return [places for places in groups.values() if 1 < len(places) <= LARGEST_GROUP]


def _has_quality(outcome: Outcome) -> bool:
    """Tell whether the answer earned anything; junk, and what is too long to be measured, did not."""
    result = outcome.result
    return isinstance(result, Score) and result.components.get(Measure.QUALITY.value, 0.0) > 0.0


def _said(sample: Sample) -> str:
    gate = open_gate(sample.completion)
    assert isinstance(gate, Open)  # no other completion has a quality
    return gate.answer


def _with_diversity(outcome: Outcome, value: float, scoring: ScoringConfig) -> Outcome:
    score = outcome.result
    assert isinstance(score, Score)
    earned = score.value - scoring.format_weight * score.components[FORMAT]
    lost = earned * scoring.diversity_weight * (1.0 - value)
    note = f"; diversity {value:.2f}" if scoring.diversity_weight else ""
    result = Score(
        value=max(0.0, score.value - lost),
        components={**score.components, DIVERSITY: value},
        verdict=score.verdict,
        explanation=score.explanation + note,
    )
    return replace(outcome, result=result)
