"""What can be asked: one small interface in front of checkpoints and endpoints.

A model answers questions; `asking` decides which, remembers the answers and counts what
got none.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from evals.asking.completions import Sampling


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """The `sample_index`-th completion wanted of a prompt, which is without system text and template."""

    prompt: str
    sample_index: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A completion; `truncated` when it was cut at the token budget."""

    text: str
    truncated: bool


class Model(Protocol):
    """A source of completions. `identity` differs wherever completions could."""

    @property
    def name(self) -> str:
        """What the results call it."""
        ...

    @property
    def identity(self) -> str:
        """A digest of weights and prompt template, or of whatever stands for them."""
        ...

    @property
    def prompt_hash(self) -> str | None:
        """Hash of the prompt template, None where the other side renders the prompt."""
        ...

    @property
    def max_new_tokens(self) -> int:
        """Token budget of a completion."""
        ...

    def takes(self, prompt: str) -> bool:
        """Say whether a prompt is short enough to be asked."""
        ...

    def answer(
        self,
        questions: Sequence[Question],
        *,
        missing: Collection[int],
        sampling: Sampling,
        on_answer: Callable[[int, Answer], None],
    ) -> None:
        """Answer `questions[i]` for each `i` in `missing`, and report each as it is had.

        All questions are given, so that the answers do not depend on which are missing. A
        question that got no answer is not reported.

        Raises:
            EvaluationError: nothing can be answered at all.
        """
        ...
