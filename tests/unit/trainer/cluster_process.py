"""One of two processes that meet: `python cluster_process.py RANK PORT SCENE`; prints what it saw as JSON.

Devices are used for nothing but the meeting.
"""

import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence

os.environ["JAX_PLATFORMS"] = "cpu"

from reward_client.api import Outcome, RewardUnavailableError, Sample, Score
from trainer import processes
from trainer.cluster import Cluster
from trainer.config import ConfigurationError
from trainer.options import ClusterOptions

Told = dict[str, object]


class Clerk:
    """Not a value: opening it would act."""


class Leading:
    """A scorer that only the leader may ask."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def score(self, samples: Sequence[Sample], *, timeout_s: float) -> list[Outcome]:
        assert self._cluster.is_leader
        return [
            Outcome(
                sample_id=sample.sample_id,
                result=Score(value=0.5, components={"format": 1.0}, verdict="PARTIAL", explanation="é"),
                reward_version="1",
                cached=False,
                queue_ms=0.0,
                grade_ms=0.0,
            )
            for sample in samples
        ]


def share(cluster: Cluster) -> Told:
    """Everything that the leader does for both."""
    made: list[int] = []

    def make() -> int:
        made.append(cluster.number)
        return 7

    def fail() -> int:
        raise RewardUnavailableError("no server")

    told: Told = {"shared": cluster.share(make), "made here": len(made)}
    told["large"] = len(cluster.share(lambda: "x" * 20_000_000))
    told["error"] = _refusal(lambda: cluster.share(fail), RewardUnavailableError)
    told["in another order"] = _in_threads(cluster)
    told["differs"] = _refusal(lambda: cluster.same("seed", str(cluster.number)), ConfigurationError)
    cluster.same("seed", "0")
    answers = [cluster.stops(False), cluster.stops(cluster.number == 1)]
    while not answers[-1] and len(answers) < 1000:  # what another was asked is known a step later
        answers.append(cluster.stops(False))
    told["stops"] = answers
    told["not a value"] = _refusal(lambda: cluster.share(Clerk), processes.pickle.UnpicklingError)
    return told


def _refusal(call: Callable[[], object], kind: type[Exception]) -> str:
    try:
        call()
    except kind as error:
        return str(error)
    return ""


def _in_threads(cluster: Cluster) -> list[str]:
    """Shares that were begun in one order, and are finished in the other by one process."""
    scorer = Leading(cluster)
    pending = [
        cluster.later(lambda name=name: scorer.score([_sample(name)], timeout_s=1.0)[0].sample_id)
        for name in ("first", "second")
    ]
    got = ["", ""]

    def finish(place: int) -> None:
        got[place] = pending[place]()

    threads = [threading.Thread(target=finish, args=(place,)) for place in (1, 0)]
    for thread in threads:
        thread.start()
        if cluster.is_leader:
            thread.join()
    for thread in threads:
        thread.join()
    return got


def _sample(name: str) -> Sample:
    return Sample(sample_id=name, reward="math", prompt="", completion="", reference=None)  # pyright: ignore[reportArgumentType]


def fails(cluster: Cluster) -> Told:
    """Process 1 fails where nobody expects it, while process 0 waits for it."""
    if cluster.number == 1:
        raise OSError("no space left on device")
    cluster.agree("")
    return {}


def killed(cluster: Cluster) -> Told:
    """Process 0 is killed while process 1 waits for it."""
    cluster.share(lambda: os.kill(os.getpid(), signal.SIGKILL))
    return {}


def stopped(cluster: Cluster) -> Told:
    """Both end in the same way, as when asked to stop."""
    cluster.leave(130, "stopped")
    raise AssertionError("left, and still here")


def main(number: int, port: int, scene: str, connect_s: int) -> None:
    processes.GRACE_S, processes._LAST_S = 2.0, 1.0
    options = ClusterOptions(
        coordinator=f"127.0.0.1:{port}", processes=2, process_id=number, connect_s=connect_s
    )
    with processes.connect(options) as cluster:
        told = {"share": share, "fails": fails, "killed": killed, "stopped": stopped}[scene](cluster)
        print(json.dumps(told), flush=True)
        cluster.leave(0)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
