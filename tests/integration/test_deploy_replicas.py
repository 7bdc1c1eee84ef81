"""Plain replicas: two real servers behind one client, one of which is killed with a batch in it."""

import json
import threading
from pathlib import Path

import pytest

from reward_client.api import BooleanReference, MathReference, Sample, Score
from reward_client.client import RewardClient
from reward_client.local import LocalServer
from tests.slow_extra import install

COUNT = 1_024
DEADLINE_S = 120.0


def sample(index: int) -> Sample:
    """Every fourth waits in its server, so that the batch is still there when the server is killed."""
    answer, reward = ("0.02", "slow") if index % 4 == 0 else ("yes", "boolean")
    reference = MathReference(answer="1") if reward == "slow" else BooleanReference(value=True)
    return Sample(
        sample_id=str(index),
        reward=reward,
        prompt="",
        completion=f"<reasoning>{index}</reasoning><answer>{answer}</answer>",
        reference=reference,
    )


def test_a_batch_outlives_one_of_two_replicas_whole_and_without_a_zero(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("slow", tmp_path / "extra", monkeypatch)
    samples = [sample(index) for index in range(COUNT)]
    one_log, two_log = tmp_path / "one.log", tmp_path / "two.log"
    with (
        LocalServer(one_log, ("--queues.workers", "2")) as one,
        LocalServer(two_log, ("--queues.workers", "2")) as two,
        RewardClient([one.address, two.address], on_retry=lambda _: None) as client,
    ):
        for _ in range(4):  # round robin: both are connected before it matters
            client.score([sample(1)], timeout_s=DEADLINE_S)
        killer = threading.Timer(0.3, one.kill)
        killer.start()
        outcomes = client.score(samples, timeout_s=DEADLINE_S)
        killer.join()
        afterwards = client.score(samples[:8], timeout_s=DEADLINE_S)

    assert calls(one_log, samples=1), "the one had no part in it"
    assert not calls(one_log, samples=256), "the one was done before it was killed"
    ids = [outcome.sample_id for outcome in outcomes]
    assert ids == [each.sample_id for each in samples], "lost, duplicated or out of order"
    scores = [outcome.result for outcome in (*outcomes, *afterwards)]
    assert all(isinstance(score, Score) and score.value == 1.0 for score in scores), (
        "a false zero or a failure"
    )


def calls(log: Path, *, samples: int) -> int:
    """Count the finished calls of so many samples."""
    events = [
        json.loads(line) for line in log.read_text(encoding="utf-8").splitlines() if line.startswith("{")
    ]
    return sum(event.get("rpc") == "Score" and event["samples"] == samples for event in events)
