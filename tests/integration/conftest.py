"""Fixtures that need a real sandbox: the image, built as a user builds it, and each backend of this host."""

from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio

from sandbox.api import Sandbox, SandboxError
from sandbox.bubblewrap import require_host
from sandbox.build import Base, build_image
from sandbox.docker import Engine
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.owner import Owner
from tests.conftest import missing
from tests.integration.supervisors import supervisors

BACKENDS = [pytest.param(BackendChoice.DOCKER, marks=pytest.mark.docker), BackendChoice.BUBBLEWRAP]


@pytest.fixture(scope="session")
def sandbox_image(docker_engine: None) -> str:
    """The tag of the sandbox image, built now if the engine does not have it."""
    return build_image(Engine(None, Owner.this_process()), Base.AUTO, print)


@pytest.fixture(scope="module", params=BACKENDS, ids=lambda backend: backend.value)
def backend(request: pytest.FixtureRequest) -> BackendChoice:
    """Each backend in turn, if this host can have it."""
    if request.param is BackendChoice.DOCKER:
        request.getfixturevalue("sandbox_image")
        return request.param
    try:
        require_host()
    except SandboxError as error:
        missing(str(error))
    return request.param


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(backend: BackendChoice) -> AsyncIterator[Sandbox]:
    """A sandbox of two slots, shared by the tests of a module."""
    sandbox = await open_sandbox(SandboxOptions(slots=2, backend=backend))
    yield sandbox
    await sandbox.close()


@pytest_asyncio.fixture
async def one_slot(backend: BackendChoice) -> AsyncIterator[Sandbox]:
    """A sandbox of one slot, for one test."""
    sandbox = await open_sandbox(SandboxOptions(slots=1, backend=backend))
    yield sandbox
    await sandbox.close()


@pytest.fixture
def alive(backend: BackendChoice) -> Callable[[], set[int]]:
    """Tell the processes of all supervisors that this process has started."""
    return lambda: supervisors(backend)
