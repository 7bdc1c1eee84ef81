"""The graders as people call them without a service: a Python function, and the same behind HTTP and JSON.

    uvicorn bench.http_rewards:app --port 8000

The HTTP shape is OpenRLHF's remote reward model: POST {"query", "prompts", "labels"}, lists of
one length, answered with {"rewards"}. A label is JSON: the reward's name and its reference.
"""

import json
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from reward_server.api import Grade, Reward, Sample
from reward_server.rewards.boolean import BooleanReward
from reward_server.rewards.choice import ChoiceReward
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.math import MathReward
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.writing import WritingReward
from reward_server.rewards.xml_gate import Open, open_gate
from reward_server.scores import ScoringConfig, from_grade
from reward_server.workers import WorkerPool

# The pool is never started: what the bench sends is decided on the spot.
REWARDS: dict[str, Reward] = {
    "boolean": BooleanReward(),
    "choice": ChoiceReward(),
    "ideation": IdeationReward(),
    "math": MathReward(WorkerPool({})),
    "summary": SummaryReward(),
    "writing": WritingReward(),
}


def grade(prompts: list[str], completions: list[str], labels: list[str]) -> list[float]:
    """Return one reward for each completion, as trainers want it from a reward function."""
    return [
        _grade(prompt, completion, json.loads(label))
        for prompt, completion, label in zip(prompts, completions, labels, strict=True)
    ]


def _grade(prompt: str, completion: str, label: dict[str, object]) -> float:
    name = str(label.pop("reward"))
    gate = open_gate(completion)
    if not isinstance(gate, Open):
        return 0.0
    fields: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in label.items()
    }
    reference = REWARDS[name].info.reference(**fields)
    sample = Sample(sample_id="", reward=name, prompt=prompt, completion=completion, reference=reference)
    graded = REWARDS[name].grade(sample, gate.answer)
    assert isinstance(graded, Grade), "the bench sends nothing that needs a worker"
    return from_grade(graded, REWARDS[name].info.measure, ScoringConfig()).value


class Query(BaseModel):
    query: list[str]
    prompts: list[str]
    labels: list[str]


class Rewards(BaseModel):
    rewards: list[float]


app = FastAPI()


@app.post("/get_reward")
async def get_reward(asked: Query) -> Rewards:
    return Rewards(rewards=grade(asked.prompts, asked.query, asked.labels))
