"""What a run did step by step, and what two of its steps differ in."""

from collections.abc import Mapping
from typing import Any

from evals.explore.rollouts import Rollouts

_CURVES = """
    SELECT step, domain, count(*) AS completions, avg(score) AS reward, avg(format) AS format,
        avg(coalesce(correctness, quality)) AS accuracy, avg(tokens) AS tokens,
        avg(truncated::INT) AS truncated, count(failure) AS failures
    FROM rollouts GROUP BY GROUPING SETS ((step, domain), (step)) ORDER BY step, domain
"""
_VERDICTS = """
    SELECT step, coalesce(verdict, 'UNGRADED') AS verdict, count(*) AS n
    FROM rollouts GROUP BY ALL ORDER BY step, verdict
"""
_FLAT = """
    SELECT step, avg((count < 2 OR spread < 1e-9)::INT) AS flat FROM (
        SELECT step, count(score) AS count, coalesce(max(score) - min(score), 0) AS spread
        FROM rollouts GROUP BY step, group_id
    ) GROUP BY step ORDER BY step
"""
_SIDE = """
    SELECT domain, count(*) AS completions, avg(score) AS reward, avg(format) AS format,
        avg(coalesce(correctness, quality)) AS accuracy, avg(tokens) AS tokens, count(failure) AS failures
    FROM rollouts WHERE step = $step GROUP BY ROLLUP (domain) ORDER BY domain NULLS LAST
"""
_SHARED_PROMPTS = """
    SELECT example_id, any_value(prompt) AS prompt, any_value(domain) AS domain,
        avg(score) FILTER (step = $a) AS reward_a, avg(score) FILTER (step = $b) AS reward_b
    FROM rollouts WHERE step IN ($a, $b)
    GROUP BY example_id HAVING count(DISTINCT step) = 2 ORDER BY reward_b - reward_a
"""


def curves(rollouts: Rollouts) -> Mapping[str, Any]:
    """Return rewards, rates and lengths by step and domain; the domain of all together is null."""
    return {
        "steps": rollouts.rows(_CURVES),
        "verdicts": rollouts.rows(_VERDICTS),
        "flat": rollouts.rows(_FLAT),
    }


def difference(rollouts: Rollouts, a: int, b: int) -> Mapping[str, Any]:
    """Return both steps by domain, and the prompts that both asked."""
    return {
        "a": rollouts.rows(_SIDE, {"step": a}),
        "b": rollouts.rows(_SIDE, {"step": b}),
        "shared": rollouts.rows(_SHARED_PROMPTS, {"a": a, "b": b}),
    }
