"""Domain- and difficulty-aware scaling of rewards: DISCO (Zhou et al. 2025, arXiv 2505.15074).

Not to be confused with the mix of domains that others call DISCO (`tasks.mixing`). For a
prompt q of domain d, whose G completions have rewards r_i:

    w_dom(d)  = log(1 + 1 / p(d))        p(d): share of d among the prompts that are asked
    w_diff(q) = 1 / SC(q)                SC(q): share of the group that passes (self-consistency)
    r_i'      = r_i * w_dom(d) * w_diff(q)
    A_i       = r_i' - mean(r')          no deviation: it would cancel both weights

Where this departs from the paper, and why:
    p(d)    is the share after mixing, because a flattened mix has already helped rare domains.
    SC(q)   is the mean of correctness, not of the reward, whose format part would keep it
            above zero; in domains judged on a scale it is the share of completions with a
            quality of at least 0.5.
    1 / SC  is at most G. The paper divides by SC + 1e-5, which multiplies by 100,000 where
            nothing passes; rewards that are not all zero there would drown every other group.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import log
from typing import Literal

import numpy as np

from tasks.api import Domain


@dataclass(frozen=True, kw_only=True, slots=True)
class Disco:
    """Factors for the rewards of a group. `shares` are those of the prompts asked, and add up to 1."""

    mode: Literal["off", "domain", "difficulty", "both"]
    shares: Mapping[Domain, float]

    def weight(self, domain: Domain, passed: np.ma.MaskedArray) -> float:
        """Returns the factor of a group; `passed` [group] is masked where a completion has no score."""
        weight = 1.0
        if self.mode in ("domain", "both"):
            weight *= domain_weight(self.shares[domain])
        if self.mode in ("difficulty", "both") and passed.count():
            weight *= difficulty_weight(float(passed.mean()), passed.size)
        return weight


def domain_weight(share: float) -> float:
    """Computes log(1 + 1 / p) for a share p in (0, 1]."""
    return log(1.0 + 1.0 / share)


def difficulty_weight(self_consistency: float, group_size: int) -> float:
    """Computes 1 / SC, at most the size of the group."""
    return 1.0 / max(self_consistency, 1.0 / group_size)
