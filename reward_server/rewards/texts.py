"""The rewards of texts in a worker: a millisecond each, they would hold up the event loop in numbers."""

from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.writing import WritingReward
from reward_server.workers.grading import grading

TASKS = {"texts": "reward_server.rewards.texts:grade"}
grade = grading({"ideation": IdeationReward(), "summary": SummaryReward(), "writing": WritingReward()})
