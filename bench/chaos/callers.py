"""Those who send, each on a thread of its own, until they are told to end."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import count

import grpc
import numpy as np
from reward.v1 import reward_pb2 as pb

from bench.chaos.ledger import Ledger
from bench.chaos.samples import ON_THE_SPOT, Kind, numbered
from reward_client.api import Outcome, RewardClientError
from reward_client.channels import SERVICE
from reward_client.client import RewardClient
from reward_client.retries import Retry
from reward_client.wire import read_outcome, write_sample
from trainer.experience.rewards import check_failures, group_advantages, to_batch

CALL_S = 45.0
PAUSE_S = 0.02
GROUPS = 8
GROUP_SIZE = 4
MAX_FAILED_SHARE = 0.5

Work = Callable[[threading.Event], None]


class Caller:
    """Sends through one client and keeps the books of it."""

    def __init__(self, name: str, client: RewardClient, ledger: Ledger) -> None:
        self.name = name
        self._client = client
        self._ledger = ledger

    def ask(self, batch: Mapping[str, Kind], *, timeout_s: float = CALL_S) -> list[Outcome]:
        """Have a batch graded; nothing comes back when the call ends in an error."""
        samples = self._ledger.send(batch)
        sent = time.monotonic()
        try:
            outcomes = self._client.score(samples, timeout_s=timeout_s)
        except RewardClientError as error:
            self._ledger.refuse(self.name, sent, error)
            return []
        self._ledger.receive(self.name, sent, outcomes)
        return outcomes

    def batches(self, kinds: Sequence[Kind], *, timeout_s: float = CALL_S) -> Work:
        """Send one batch after the other."""

        def work(ended: threading.Event) -> None:
            for number in count():
                if ended.wait(PAUSE_S):
                    return
                self.ask(numbered(kinds, f"{self.name}/{number}"), timeout_s=timeout_s)

        return work

    def steps(self) -> Work:
        """Do what a trainer does with a step's rewards: groups, the failure policy, advantages."""

        def work(ended: threading.Event) -> None:
            kinds = [ON_THE_SPOT[place % 3] for place in range(GROUPS * GROUP_SIZE)]
            for number in count():
                if ended.wait(PAUSE_S):
                    return
                outcomes = self.ask(numbered(kinds, f"{self.name}/{number}"))
                if not outcomes:
                    return  # a trainer's run would have ended here: its books say so
                check_failures(outcomes, expected=len(kinds), max_failed_share=MAX_FAILED_SHARE)
                rewards = to_batch(outcomes).rewards
                advantages = group_advantages(rewards, GROUP_SIZE, divide_by_std=True)
                assert np.isfinite(advantages).all()
                assert not advantages[np.ma.getmaskarray(rewards)].any(), "a failure taught something"
                self._ledger.steps += 1

        return work


@contextmanager
def working(works: Sequence[Work]) -> Iterator[None]:
    """Let them work inside the block, and wait for their last answers; their errors are ours."""
    ended = threading.Event()
    errors: list[BaseException] = []

    def run(work: Work) -> None:
        try:
            work(ended)
        except BaseException as error:  # noqa: BLE001  (raised again below, on the main thread)
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    if errors:
        raise errors[0]


def counting_retries(ledger: Ledger) -> Callable[[Retry], None]:
    """Note which status made a client send a call again."""
    return lambda retry: ledger.retried(next(word for word in retry.reason.split(": ") if word.isupper()))


def read_slowly(address: str, ledger: Ledger, *, samples: int, wait_s: float, pause_s: float) -> None:
    """Send a stream at once, read nothing for a while, and then one outcome after the other."""
    kinds = [ON_THE_SPOT[place % len(ON_THE_SPOT)] for place in range(samples)]
    sent = time.monotonic()
    messages = [write_sample(each) for each in ledger.send(numbered(kinds, f"slow reader {sent}"))]
    with grpc.insecure_channel(address) as channel:
        call = channel.stream_stream(
            f"/{SERVICE}/ScoreStream",
            request_serializer=pb.Sample.SerializeToString,
            response_deserializer=pb.Outcome.FromString,
        )(iter(messages), timeout=CALL_S)
        time.sleep(wait_s)
        outcomes: list[Outcome] = []
        for message in call:
            outcomes.append(read_outcome(message))
            time.sleep(pause_s)
    ledger.receive("slow reader", sent, outcomes)
