"""Fixtures of every suite: where the real data is, and what to do without an engine.

Skips are visible: a missing Docker Engine or missing data is a skip with its reason on
a user's machine, and a failure where `CI` is set.
"""

import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]


# The folders that take longest, in that order: begun first, they leave no process alone at the end.
LONGEST = ("tests/integration/", "tests/e2e/", "tests/unit/trainer/", "tests/unit/policy/")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest folders first."""
    items.sort(
        key=lambda item: next((n for n, f in enumerate(LONGEST) if item.nodeid.startswith(f)), len(LONGEST))
    )


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep a folder on one worker: its tests share containers, ports or fixtures of a session."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFolder(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return nodeid.partition("::")[0].rpartition("/")[0]

    return ByFolder(config, log)


def missing(reason: str) -> None:
    """Skip with the reason, or fail where nothing may be missing."""
    if os.environ.get("CI"):
        pytest.fail(f"needed in CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(autouse=True)
def _log_as_before() -> Iterator[None]:
    """What a test makes of the log ends with it: it would write to a standard error that is closed."""
    import structlog

    handlers, configuration = list(logging.root.handlers), structlog.get_config()
    yield
    for handler in logging.root.handlers[:]:
        if handler not in handlers:
            logging.root.removeHandler(handler)
    structlog.configure(**configuration)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real datasets under the hub's column names."""
    directory = Path(os.environ.get("ASSAY_DATA_DIR", ROOT.parent / "shared" / "data"))
    if not (directory / "gsm8k").is_dir():
        missing(f"no real datasets in {directory}: set ASSAY_DATA_DIR")
    return directory


@pytest.fixture(scope="session")
def docker_engine() -> None:
    """A Docker Engine that answers, and the sandbox image in it."""
    import docker
    import docker.errors

    try:
        client = docker.from_env()
        client.ping()
        client.close()
    except docker.errors.DockerException as error:
        missing(f"no Docker Engine answers: {error}")
