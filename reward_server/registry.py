"""Which rewards this server has: a visible table, plus what is installed beside it.

To add a reward here: one file, one factory, one line in `BUILT_IN`. To add one from
another distribution: an entry point in the group `assay.rewards` whose name is the
reward's and whose object is a `Factory`, and for each thing that it runs in workers one in
the group `assay.worker_tasks`, whose name is the task's.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from types import MappingProxyType

from reward_server.api import CostClass, Reward, RewardInfo
from reward_server.errors import ConfigurationError, UnknownRewardError
from reward_server.provenance import source_hash
from reward_server.rewards import math, texts
from reward_server.rewards.boolean import BooleanReward
from reward_server.rewards.choice import ChoiceReward
from reward_server.rewards.code import CodeReward
from reward_server.rewards.ideation import IdeationReward
from reward_server.rewards.summary import SummaryReward
from reward_server.rewards.writing import WritingReward
from reward_server.scores import ScoringConfig
from reward_server.workers.pool import WorkerPool
from sandbox.api import Sandbox

ENTRY_POINT_GROUP = "assay.rewards"
TASK_GROUP = "assay.worker_tasks"


@dataclass(frozen=True, kw_only=True, slots=True)
class Resources:
    """What a factory may build its reward on; the server owns and closes both."""

    workers: WorkerPool
    sandbox: Sandbox


Factory = Callable[[Resources], Reward]


BUILT_IN: Mapping[str, Factory] = MappingProxyType(
    {
        "boolean": lambda _: BooleanReward(),
        "choice": lambda _: ChoiceReward(),
        "code": lambda resources: CodeReward(resources.sandbox),
        "ideation": lambda _: IdeationReward(),
        "math": lambda resources: math.MathReward(resources.workers),
        "summary": lambda _: SummaryReward(),
        "writing": lambda _: WritingReward(),
    }
)
# What the rewards above run in worker processes: name -> "module:function".
WORKER_TASKS: Mapping[str, str] = MappingProxyType({**math.TASKS, **texts.TASKS})


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One reward. `version` is its semantic version and the hash of its code and configuration.

    `deterministic` is what callers are told: false also where a value depends on siblings.
    The grade before that, which is cached, follows `info.deterministic`.
    """

    reward: Reward
    info: RewardInfo
    version: str
    deterministic: bool

    @property
    def may_queue(self) -> bool:
        """Whether a sample of it can have to wait for a worker or the sandbox."""
        return self.info.cost_class is not CostClass.INLINE or bool(self.info.worker_task)


class Registry:
    """Rewards by name."""

    def __init__(self, rewards: Iterable[Reward], scoring: ScoringConfig) -> None:
        self._entries: dict[str, Entry] = {}
        for reward in rewards:
            info = reward.info
            if info.name in self._entries:
                raise ConfigurationError(f"two rewards are called {info.name!r}: rename or remove one")
            alone = not (info.compares_siblings and scoring.diversity_weight)
            self._entries[info.name] = Entry(
                reward=reward,
                info=info,
                version=_version(reward, scoring),
                deterministic=info.deterministic and alone,
            )

    @property
    def entries(self) -> tuple[Entry, ...]:
        """All rewards, by name."""
        return tuple(self._entries[name] for name in sorted(self._entries))

    def find(self, name: str) -> Entry:
        """Return the reward of that name.

        Raises:
            UnknownRewardError: this server has none; the message lists what it has.
        """
        entry = self._entries.get(name)
        if entry is None:
            known = ", ".join(sorted(self._entries))
            raise UnknownRewardError(f"no reward {name!r} on this server; it has: {known}")
        return entry


def build(factories: Mapping[str, Factory], resources: Resources, scoring: ScoringConfig) -> Registry:
    """Make every reward of the table.

    Raises:
        ConfigurationError: a reward does not bear the name it is listed under, or names a worker
            task that does not exist or that it has no use for.
    """
    rewards: list[Reward] = []
    for name, factory in factories.items():
        reward = factory(resources)
        if reward.info.name != name:
            raise ConfigurationError(f"the reward listed as {name!r} calls itself {reward.info.name!r}")
        _check_task(reward.info, resources.workers)
        rewards.append(reward)
    return Registry(rewards, scoring)


def _check_task(info: RewardInfo, workers: WorkerPool) -> None:
    if not info.worker_task:
        return
    if info.cost_class is not CostClass.INLINE:
        raise ConfigurationError(
            f"reward {info.name!r} has worker_task={info.worker_task!r} and is {info.cost_class.value}: "
            "only an INLINE one can be spread over workers"
        )
    if not workers.performs(info.worker_task):
        raise ConfigurationError(
            f"reward {info.name!r} has worker_task={info.worker_task!r}, and there is no such task: "
            f"add an entry point of that name to the group {TASK_GROUP!r}"
        )


def with_extras(factories: Mapping[str, Factory], extras: Iterable[EntryPoint]) -> dict[str, Factory]:
    """Add installed extras to a table.

    Raises:
        ConfigurationError: two rewards share a name, or an extra cannot be imported.
    """
    table = dict(factories)
    for extra in extras:
        if extra.name in table:
            raise ConfigurationError(
                f"reward {extra.name!r} of {extra.value!r} is already taken: rename it or remove one"
            )
        try:
            table[extra.name] = extra.load()
        except (ImportError, AttributeError) as error:
            message = f"reward {extra.name!r}: {extra.value!r} cannot be loaded: {error}"
            raise ConfigurationError(message) from error
    return table


def installed_extras() -> tuple[EntryPoint, ...]:
    """List the rewards that other distributions bring."""
    return tuple(entry_points(group=ENTRY_POINT_GROUP))


def with_extra_tasks(tasks: Mapping[str, str], extras: Iterable[EntryPoint]) -> dict[str, str]:
    """Add what installed extras run in workers to a table: name -> "module:function".

    The modules are found here, but imported in workers alone.

    Raises:
        ConfigurationError: two tasks share a name, or a module is not installed.
    """
    table = dict(tasks)
    for extra in extras:
        if extra.name in table:
            raise ConfigurationError(
                f"worker task {extra.name!r} of {extra.value!r} is already taken: rename it or remove one"
            )
        if not (extra.attr and _is_installed(extra.module)):
            raise ConfigurationError(
                f"worker task {extra.name!r}: {extra.value!r} is no function of an installed module"
            )
        table[extra.name] = extra.value
    return table


def installed_tasks() -> tuple[EntryPoint, ...]:
    """List what the rewards of other distributions run in workers."""
    return tuple(entry_points(group=TASK_GROUP))


def _is_installed(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _version(reward: Reward, scoring: ScoringConfig) -> str:
    modules = (type(reward).__module__, "reward_server.rewards.xml_gate", "reward_server.scores")
    if reward.info.compares_siblings:
        modules = (*modules, "reward_server.scoring.siblings")
    return f"{reward.info.version}+{source_hash(modules, repr(scoring))}"
