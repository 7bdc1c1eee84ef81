"""The faults. Each strikes for a few seconds while the usual callers go on."""

import signal
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from random import Random

from bench.chaos.callers import Caller, Work, counting_retries, read_slowly, working
from bench.chaos.lab import Lab, kill_all
from bench.chaos.ledger import Ledger, Row
from bench.chaos.proxy import Proxy
from bench.chaos.samples import ALGEBRA, PROGRAMS, STALLED, mixed, numbered
from reward_client.client import RewardClient

CALM_S = 1.0
RECOVERY_S = 60.0  # a restarted server imports its algebra, on a machine that may be busy
BATCH_CALLERS = 2
# More than fits a queue beside another of its kind.
FLOOD_BATCH, FLOOD_CALLERS = 40, 6
STALL_DEADLINE_S = 2.0


@dataclass(kw_only=True)
class Stage:
    """Where a fault happens: `seconds` is how long it may strike, `client` is a way in."""

    lab: Lab
    ledger: Ledger
    client: RewardClient
    seconds: float
    proxies: Sequence[Proxy] = ()

    def every(self, pause_s: float, strike: Callable[[], object]) -> None:
        """Strike again and again."""
        ends = time.monotonic() + self.seconds
        while time.monotonic() < ends:
            self.ledger.strike()
            strike()
            time.sleep(pause_s)

    def during(self, works: Sequence[Work]) -> None:
        """Let more callers work meanwhile; their begin is the strike."""
        self.ledger.strike()
        with working(works):
            time.sleep(self.seconds)


Fault = Callable[[Stage], None]


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One row of the table. `costs` are the kinds of failure that it may lead to; no other is excused."""

    name: str
    fault: Fault
    costs: frozenset[str] = frozenset()
    needs_engine: bool = False
    proxied: bool = False


def nothing(stage: Stage) -> None:
    stage.every(stage.seconds, lambda: None)


def killed_workers(stage: Stage) -> None:
    stage.every(0.5, lambda: kill_all(stage.lab.replicas[0].workers()))


def killed_replica(stage: Stage) -> None:
    one = stage.lab.replicas[0]
    time.sleep(0.1)  # into the middle of a batch
    stage.ledger.strike()
    one.kill()
    time.sleep(stage.seconds / 2)
    one.start()


def both_replicas_killed(stage: Stage) -> None:
    stage.ledger.strike()
    for replica in stage.lab.replicas:
        replica.kill()
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda replica: replica.start(), stage.lab.replicas))


def killed_supervisors(stage: Stage) -> None:
    stage.every(1.5, lambda: kill_all(stage.lab.supervisors()))


def killed_engine(stage: Stage) -> None:
    assert stage.lab.engine is not None
    stage.ledger.strike()
    stage.lab.engine.end(signal.SIGKILL)
    time.sleep(stage.seconds / 2)
    stage.lab.engine.start()


def stalled_grader(stage: Stage) -> None:
    stalling = Caller("stalling", stage.client, stage.ledger)
    stage.during([stalling.batches(STALLED, timeout_s=STALL_DEADLINE_S)])


def full_queues(stage: Stage) -> None:
    kinds = (ALGEBRA + (PROGRAMS if stage.lab.engine else ())) * (FLOOD_BATCH // 2)
    flood = [Caller(f"flood {number}", stage.client, stage.ledger) for number in range(FLOOD_CALLERS)]
    stage.during([caller.batches(kinds) for caller in flood])


def cut_connections(stage: Stage) -> None:
    def cut() -> None:
        for proxy in stage.proxies:
            proxy.cut()

    stage.every(0.7, cut)


def slow_network(stage: Stage) -> None:
    for proxy in stage.proxies:
        proxy.delay_s, proxy.bytes_per_s = 0.1, 200_000.0
    stage.every(stage.seconds, lambda: None)
    for proxy in stage.proxies:
        proxy.delay_s, proxy.bytes_per_s = 0.0, float("inf")


def slow_reader(stage: Stage) -> None:
    stage.ledger.strike()
    read_slowly(stage.lab.addresses[0], stage.ledger, samples=2_000, wait_s=stage.seconds / 2, pause_s=0.001)


def new_version(stage: Stage) -> None:
    stage.lab.upgrade("1.1.0")
    for replica in stage.lab.replicas:  # one after the other, as a rolling upgrade
        stage.ledger.strike()
        replica.drain()
        replica.start()
    time.sleep(0.5)


def everything(stage: Stage) -> None:
    """Kill, cut and slow down at random; the choices are the same in every run."""
    chance = Random(0)
    one = stage.lab.replicas[0]

    def strike() -> None:
        match chance.randrange(5):
            case 0:
                one.kill()
                one.start()
            case 1:
                kill_all(stage.lab.replicas[1].workers())
            case 2:
                kill_all(stage.lab.supervisors())
            case 3:
                for proxy in stage.proxies:
                    proxy.cut()
            case _:
                for proxy in stage.proxies:
                    proxy.delay_s = chance.choice((0.0, 0.05))

    stage.every(0.5, strike)
    for proxy in stage.proxies:
        proxy.delay_s = 0.0


GRADERS, PROGRAMS_LOST = frozenset({"GRADER"}), frozenset({"SANDBOX"})
STALLS = frozenset({"GRADER_TIMEOUT", "DEADLINE"})
SCENARIOS = (
    Scenario(name="nothing", fault=nothing),
    Scenario(
        name="grading workers of one replica killed, again and again", fault=killed_workers, costs=GRADERS
    ),
    Scenario(name="one replica killed in the middle of batches, restarted", fault=killed_replica),
    Scenario(name="both replicas killed at once, restarted", fault=both_replicas_killed),
    Scenario(
        name="sandbox containers killed, again and again",
        fault=killed_supervisors,
        needs_engine=True,
        costs=PROGRAMS_LOST,
    ),
    Scenario(
        name="container engine killed, restarted", fault=killed_engine, needs_engine=True, costs=PROGRAMS_LOST
    ),
    Scenario(name="grader that stalls", fault=stalled_grader, costs=STALLS),
    Scenario(name="queues full", fault=full_queues),
    Scenario(name="connections reset, again and again", fault=cut_connections, proxied=True),
    Scenario(name="network slow: 100 ms each way, 200 kB/s", fault=slow_network, proxied=True),
    Scenario(name="client that does not read its stream", fault=slow_reader),
    Scenario(name="rolling restart with a new version", fault=new_version),
    Scenario(name="all of it at random", fault=everything, proxied=True, costs=GRADERS | PROGRAMS_LOST),
)


def warm_up(lab: Lab) -> None:
    """Return when both servers have graded something of every kind."""
    for address in lab.addresses:
        with RewardClient(address) as client:
            Caller("warm-up", client, Ledger()).ask(numbered(mixed(code=lab.engine is not None), "warm-up"))


def play(scenario: Scenario, lab: Lab, *, seconds: float) -> Row:
    """Let the usual callers work, strike, and wait until all of them are answered whole again."""
    names = [f"batches {number}" for number in range(BATCH_CALLERS)]
    ledger = Ledger(usual=frozenset(("trainer", *names)))
    with ExitStack() as stack:
        proxies = [stack.enter_context(Proxy(each)) for each in lab.addresses] if scenario.proxied else []
        addresses = [proxy.address for proxy in proxies] or lab.addresses
        client = stack.enter_context(RewardClient(addresses, on_retry=counting_retries(ledger)))
        kinds = mixed(code=lab.engine is not None)
        callers = [Caller(name, client, ledger) for name in names]
        trainer = Caller("trainer", client, ledger)
        with working([trainer.steps(), *(each.batches(kinds) for each in callers)]):
            time.sleep(CALM_S)
            stage = Stage(lab=lab, ledger=ledger, client=client, seconds=seconds, proxies=proxies)
            scenario.fault(stage)
            ends = time.monotonic() + RECOVERY_S
            while ledger.recovery_s() is None and time.monotonic() < ends:
                time.sleep(0.05)
    return ledger.row(scenario.name, excused=scenario.costs)
