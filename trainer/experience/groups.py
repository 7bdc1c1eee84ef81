"""Groups of completions, and what the loss takes of them. Values and pure functions only.

Shapes: G completions of a prompt; rows are completions, group by group; P and C are the
static lengths of prompts (left-padded) and completions (right-padded), padding is id 0.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from policy.sampling import Completion
from policy.tokenizer import PAD_ID
from reward_client.api import Outcome
from trainer.experience.disco import Disco
from trainer.experience.draws import Draw
from trainer.experience.rewards import group_advantages, teaches, to_batch
from trainer.options import GrpoOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """The completions of one prompt. `prompt_tokens` is [P]."""

    draw: Draw
    prompt_tokens: np.ndarray
    completions: tuple[Completion, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class GradedGroup:
    """A group and the outcomes of its completions, in their order."""

    group: Group
    outcomes: tuple[Outcome, ...]

    @property
    def teaches(self) -> bool:
        """Whether its scores differ, so that it has a gradient."""
        return teaches(to_batch(self.outcomes).rewards)


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """A graded group as the loss sees it. `advantages` (float32) and `in_loss` (bool) are [G]."""

    graded: GradedGroup
    advantages: np.ndarray
    in_loss: np.ndarray


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """Token ids: `prompts` [rows, P] and `completions` [rows, C]."""

    prompts: np.ndarray
    completions: np.ndarray


def learn(graded: GradedGroup, options: GrpoOptions, disco: Disco) -> Learned:
    """Computes a group's advantages, and which of its completions are in the loss.

    A truncated completion that is masked still counts in the mean of its group: its reward is
    known, only its tokens are not to be learned from (as in TRL and DAPO, arXiv 2503.14476).
    """
    batch = to_batch(graded.outcomes)
    weight = disco.weight(graded.group.draw.example.domain, batch.passed)
    advantages = group_advantages(
        weight * batch.rewards, options.group_size, divide_by_std=options.advantage == "std"
    )
    in_loss = np.ones(options.group_size, bool)
    if options.mask_truncated:
        in_loss &= [not completion.truncated for completion in graded.group.completions]
    if options.zero_variance != "keep":
        in_loss &= teaches(batch.rewards)
    return Learned(graded=graded, advantages=advantages, in_loss=in_loss)


def tokens_of(groups: Sequence[Group], *, length: int) -> Tokens:
    """Lays the token ids of `groups` out as arrays, completions padded to `length`."""
    completions = [completion for group in groups for completion in group.completions]
    ids = np.full((len(completions), length), PAD_ID, np.int32)
    for row, completion in zip(ids, completions, strict=True):
        row[: len(completion.tokens)] = completion.tokens
    prompts = [np.tile(group.prompt_tokens, (len(group.completions), 1)) for group in groups]
    return Tokens(prompts=np.concatenate(prompts), completions=ids)
