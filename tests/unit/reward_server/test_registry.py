"""Names to rewards: the table, extras, versions that follow the code."""

import dataclasses
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from reward_server import provenance
from reward_server.api import CostClass
from reward_server.errors import ConfigurationError, UnknownRewardError
from reward_server.registry import (
    BUILT_IN,
    WORKER_TASKS,
    Registry,
    Resources,
    build,
    with_extra_tasks,
    with_extras,
)
from reward_server.scores import ScoringConfig
from reward_server.workers import WorkerPool
from tests.fake_rewards import Inline


def extra(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="assay.rewards")


def resources() -> Resources:
    return Resources(workers=WorkerPool(WORKER_TASKS), sandbox=None)  # type: ignore[arg-type]


def test_the_table_has_the_rewards_of_the_contract() -> None:
    assert set(BUILT_IN) == {"math", "code", "choice", "boolean", "writing", "ideation", "summary"}


def test_every_reward_bears_its_name_and_a_version_with_a_hash() -> None:
    registry = build(BUILT_IN, resources(), ScoringConfig())

    for entry in registry.entries:
        semantic, _, digest = entry.version.partition("+")
        assert semantic.count(".") == 2
        assert len(digest) == 8
        assert registry.find(entry.info.name) is entry


def test_an_unknown_name_lists_what_is_known() -> None:
    registry = Registry([Inline(name="b"), Inline(name="a")], ScoringConfig())

    with pytest.raises(UnknownRewardError, match="no reward 'maths' on this server; it has: a, b"):
        registry.find("maths")


def test_two_rewards_cannot_share_a_name() -> None:
    with pytest.raises(ConfigurationError, match="two rewards are called 'a'"):
        Registry([Inline(name="a"), Inline(name="a")], ScoringConfig())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"worker_task": "nowhere"}, "worker_task='nowhere', and there is no such task: add an entry point"),
        (
            {"worker_task": "texts", "cost_class": CostClass.WORKER},
            "worker_task='texts' and is WORKER: only an INLINE one",
        ),
    ],
)
def test_a_worker_task_must_exist_and_belong_to_an_inline_reward(
    changes: dict[str, object], message: str
) -> None:
    reward = Inline(name="a")
    reward.info = dataclasses.replace(reward.info, **changes)  # type: ignore[arg-type]

    with pytest.raises(ConfigurationError, match=message):
        build({"a": lambda _: reward}, resources(), ScoringConfig())


def test_a_reward_must_bear_the_name_it_is_listed_under() -> None:
    with pytest.raises(ConfigurationError, match="listed as 'b' calls itself 'a'"):
        build({"b": lambda _: Inline(name="a")}, resources(), ScoringConfig())


def test_an_extra_is_added_by_its_entry_point() -> None:
    table = with_extras({}, [extra("slow", "tests.slow_extra:Slow")])

    assert table["slow"](resources()).info.name == "slow"


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("math", "tests.slow_extra:Slow", "'math' of 'tests.slow_extra:Slow' is already taken"),
        ("new", "tests.nowhere:Slow", "'tests.nowhere:Slow' cannot be loaded"),
        ("new", "tests.slow_extra:Nothing", "cannot be loaded"),
    ],
)
def test_an_extra_that_clashes_or_cannot_be_loaded_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        with_extras(BUILT_IN, [extra(name, value)])


def test_two_extras_of_one_name_are_refused() -> None:
    twice = [extra("new", "tests.slow_extra:Slow"), extra("new", "tests.fake_rewards:Held")]

    with pytest.raises(ConfigurationError, match="already taken"):
        with_extras({}, twice)


def task(name: str, value: str) -> EntryPoint:
    return EntryPoint(name=name, value=value, group="assay.worker_tasks")


def test_tasks_of_extras_join_the_table_without_being_imported() -> None:
    tasks = with_extra_tasks(WORKER_TASKS, [task("new.grade", "antigravity:fly")])

    assert tasks == {**WORKER_TASKS, "new.grade": "antigravity:fly"}
    assert "antigravity" not in sys.modules


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        (
            "math.compare",
            "tests.slow_extra:Slow",
            "'math.compare' of 'tests.slow_extra:Slow' is already taken",
        ),
        ("new", "tests.nowhere:grade", "'tests.nowhere:grade' is no function of an installed module"),
        ("new", "nowhere.at.all:grade", "is no function of an installed module"),
        ("new", "tests.slow_extra", "is no function of an installed module"),
    ],
)
def test_a_task_that_clashes_or_is_not_installed_is_refused(name: str, value: str, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        with_extra_tasks(WORKER_TASKS, [task(name, value)])


def test_the_version_follows_the_weights() -> None:
    other = ScoringConfig(format_weight=0.5, task_weight=0.5)
    versions = {Registry([Inline()], scoring).find("inline").version for scoring in (ScoringConfig(), other)}

    assert len(versions) == 2


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A distribution with a reward, a helper it imports, a module a worker loads, and one unrelated."""
    name = f"graders_{tmp_path.name.replace('-', '_')}"
    root = tmp_path / name
    (root / "essay").mkdir(parents=True)
    (root / "__init__.py").write_text("")
    (root / "essay" / "__init__.py").write_text(
        f"from {name} import helper\nimport json\nTASK = '{name}.essay.task:grade'\n"
    )
    (root / "essay" / "task.py").write_text("")
    (root / "helper.py").write_text(f"import {name}.deeper\n")
    (root / "deeper.py").write_text("")
    (root / "unrelated.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    return root


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("essay/__init__.py", True),
        ("essay/task.py", True),
        ("helper.py", True),
        ("deeper.py", True),
        ("unrelated.py", False),
    ],
)
def test_the_hash_follows_the_sources_that_can_change_a_score(
    package: Path, file: str, changes: bool
) -> None:
    module = f"{package.name}.essay"
    before = provenance.source_hash([module], "")
    assert provenance.source_hash([module], "") == before
    assert provenance.source_hash([module], "other") != before

    path = package / file
    path.write_text(path.read_text() + "# changed\n")

    assert (provenance.source_hash([module], "") != before) == changes


def test_assembling_the_rewards_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from reward_server.registry import BUILT_IN, WORKER_TASKS, Resources, build\n"
        "from reward_server.scores import ScoringConfig\n"
        "from reward_server.workers import WorkerPool\n"
        "build(BUILT_IN, Resources(workers=WorkerPool(WORKER_TASKS), sandbox=None), ScoringConfig())\n"
        "print(sorted({'sympy', 'numpy', 'scipy', 'jax'} & set(sys.modules)))\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "[]"


def test_the_versions_of_math_follow_the_modules_that_only_workers_load() -> None:
    files = provenance.sources(["reward_server.rewards.math.reward"])

    assert "reward_server.rewards.math.symbolic" in files
    assert "reward_server.rewards.folding" in files
    assert not any(name.startswith("reward_server.rewards.code") for name in files)
