"""The failures that end a run with a sentence instead of a traceback."""

from policy.errors import PolicyError
from reward_client.api import RewardClientError
from tasks.errors import TasksError
from trainer.experience.rewards import TooManyFailuresError
from trainer.grpo.learner import NotFiniteError, StopRequestedError

__all__ = ["EXPECTED", "StopRequestedError"]

EXPECTED: tuple[type[Exception], ...] = (
    NotFiniteError,
    PolicyError,
    RewardClientError,
    TasksError,
    TooManyFailuresError,
)
