"""The mix: shares, exact quotas, repeats, and addressing by position."""

from collections import Counter

import grain
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reward_client.api import MathReference
from tasks.api import Demonstration, Domain, Example, Split
from tasks.errors import MixtureError
from tasks.mixing import Mixture, quotas, shares

# The pool of the public project whose mix this one follows, by its own counts.
POOL = {
    Domain.SCIENCE: 13_610,
    Domain.SUMMARY: 10_000,
    Domain.MATH: 7_473,
    Domain.WRITING: 5_968,
    Domain.IDEATION: 2_831,
    Domain.LOGIC: 2_260,
    Domain.CODE: 974,
}


def _examples(**counts: int) -> list[Example]:
    return [
        Example(
            example_id=f"{name}/train/{n}",
            dataset=name,
            domain=Domain(name),
            split=Split.TRAIN,
            prompt=f"{name} {n}",
            reward="math",
            reference=MathReference(answer="1"),
            demonstration=Demonstration(reasoning="r", answer="1"),
        )
        for name, count in counts.items()
        for n in range(count)
    ]


def test_alpha_one_half_gives_the_published_flattened_mix() -> None:
    percent = {domain.value: round(100 * p, 1) for domain, p in shares(POOL, alpha=0.5).items()}

    assert percent == {
        "science": 22.8,
        "summary": 19.5,
        "math": 16.9,
        "writing": 15.1,
        "ideation": 10.4,
        "logic": 9.3,
        "code": 6.1,
    }


def test_alpha_one_is_the_natural_mix_and_alpha_zero_the_uniform_one() -> None:
    natural, uniform = shares(POOL, alpha=1.0), shares(POOL, alpha=0.0)

    assert natural[Domain.CODE] == pytest.approx(974 / sum(POOL.values()))
    assert list(uniform.values()) == pytest.approx([1 / 7] * 7)


@pytest.mark.parametrize("alpha", [-0.1, 1.1, 2.0, float("nan")])
def test_an_alpha_that_would_sharpen_is_refused_with_both_notations(alpha: float) -> None:
    with pytest.raises(MixtureError, match=r"n\^alpha.*n\^\(1/T\)"):
        shares(POOL, alpha=alpha)


def test_a_domain_without_rows_gets_no_share() -> None:
    assert set(shares({Domain.MATH: 4, Domain.CODE: 0}, alpha=0.0)) == {Domain.MATH}


def test_an_empty_mix_is_refused() -> None:
    with pytest.raises(MixtureError, match="no row"):
        Mixture([], total=1, seed=0)


def test_a_mix_of_nothing_is_refused() -> None:
    with pytest.raises(MixtureError, match="total=0"):
        Mixture(_examples(math=1), total=0, seed=0)


@given(
    st.dictionaries(st.sampled_from(list(Domain)), st.integers(1, 10**6), min_size=1),
    st.integers(1, 100_000),
    st.floats(0, 1),
)
def test_quotas_add_up_exactly_and_are_within_one_row_of_the_share(
    available: dict[Domain, int], total: int, alpha: float
) -> None:
    share = shares(available, alpha=alpha)

    rows = quotas(share, total)

    assert sum(rows.values()) == total
    assert all(abs(rows[domain] - share[domain] * total) < 1 + 1e-6 for domain in share)


def test_the_report_counts_what_the_mix_holds() -> None:
    mixture = Mixture(_examples(math=90, code=10), total=80, seed=0)

    held = Counter(e.domain for e in mixture)
    assert {s.domain: s.rows for s in mixture.report()} == held == {Domain.MATH: 60, Domain.CODE: 20}
    assert {s.domain: s.epochs for s in mixture.report()} == {Domain.MATH: 60 / 90, Domain.CODE: 2.0}


def test_no_row_returns_before_every_row_of_its_domain_was_used() -> None:
    mixture = Mixture(_examples(math=90, code=10), total=83, seed=3)

    counts = Counter(e.example_id for e in mixture)
    times = {name: sorted({counts[i] for i in counts if i.startswith(name)}) for name in ("math", "code")}
    assert times == {"math": [1], "code": [2, 3]}


@given(st.integers(0, 5), st.integers(1, 60))
def test_at_every_place_a_row_returns_only_after_all_rows_of_its_domain(seed: int, total: int) -> None:
    counts: Counter[str] = Counter(dict.fromkeys((e.example_id for e in _examples(math=9, code=3)), 0))
    mixture = Mixture(_examples(math=9, code=3), total=total, seed=seed)
    for place, example in enumerate(mixture):
        assert mixture.repeats(place) == (counts[example.example_id] > 0)
        counts[example.example_id] += 1
        for name in ("math", "code"):
            of_domain = [count for i, count in counts.items() if i.startswith(name)]
            assert max(of_domain) - min(of_domain) <= 1


def test_the_same_seed_gives_the_same_order_and_another_seed_another() -> None:
    examples = _examples(math=50, code=50)

    first, again, other = ([e.example_id for e in Mixture(examples, total=60, seed=s)] for s in (1, 1, 2))

    assert first == again != other


def test_the_order_is_the_same_in_every_process() -> None:
    order = [e.example_id for e in Mixture(_examples(math=5, code=3), total=6, seed=0)]

    # A golden order: changing it changes what every earlier seed trained on; say so in the changelog.
    assert order == [
        "code/train/1",
        "code/train/2",
        "math/train/0",
        "math/train/3",
        "math/train/4",
        "code/train/0",
    ]


def test_domains_are_spread_over_the_whole_order() -> None:
    mixture = Mixture(_examples(math=500, code=500), total=1000, seed=0)

    assert 80 < sum(e.domain is Domain.CODE for e in mixture[:200]) < 120


def test_any_position_can_be_asked_for_alone() -> None:
    mixture = Mixture(_examples(math=30), total=20, seed=0)

    assert mixture[13] == list(mixture)[13] == mixture[13:14][0]
    with pytest.raises(IndexError):
        mixture[20]


def test_grain_reads_a_mix_and_resumes_by_position() -> None:
    mixture = Mixture(_examples(math=30), total=20, seed=0)

    dataset = grain.MapDataset.source(mixture).map(lambda e: e.example_id).batch(4)

    assert len(dataset) == 5
    assert list(dataset[3]) == [e.example_id for e in mixture[12:16]]
