"""Fixtures that need a real sandbox: the image, built as a user builds it, and each backend of this host."""

import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace

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
from tests.integration.private_engine import private_engine
from tests.integration.supervisors import supervisors

BACKENDS = [pytest.param(BackendChoice.DOCKER, marks=pytest.mark.docker), BackendChoice.BUBBLEWRAP]
GVISOR = "runsc"


def _name(backend: BackendChoice | str) -> str:
    return backend if isinstance(backend, str) else backend.value


@pytest.fixture(scope="session")
def sandbox_image(docker_engine: None) -> str:
    """The tag of the sandbox image, built now if the engine does not have it."""
    return build_image(Engine(None, Owner.this_process()), Base.AUTO, print)


@pytest.fixture(scope="module", params=BACKENDS, ids=_name)
def backend(request: pytest.FixtureRequest) -> BackendChoice:
    """Each backend in turn, if this host can have it."""
    return _require(request, request.param)


@pytest.fixture(scope="session")
def gvisor(sandbox_image: str) -> Iterator[SandboxOptions]:
    """Docker with gVisor's kernel, on an engine of the tests' own: the machine's need not know it."""
    if shutil.which(GVISOR) is None:
        pytest.skip(f"gVisor's {GVISOR} is not installed; it is an option, not a requirement")
    with private_engine() as engine:
        yield SandboxOptions(backend=BackendChoice.DOCKER, runtime=GVISOR, docker_host=engine.host)


@pytest.fixture(scope="module", params=[*BACKENDS, pytest.param(GVISOR, marks=pytest.mark.docker)], ids=_name)
def options(request: pytest.FixtureRequest) -> SandboxOptions:
    """Two slots of each backend in turn, and of gVisor, if this host can have it."""
    if request.param == GVISOR:
        return replace(request.getfixturevalue("gvisor"), slots=2)
    return SandboxOptions(slots=2, backend=_require(request, request.param))


def _require(request: pytest.FixtureRequest, choice: BackendChoice) -> BackendChoice:
    """Skip, or fail in CI, where this host cannot have a backend."""
    if choice is BackendChoice.DOCKER:
        request.getfixturevalue("sandbox_image")
        return choice
    try:
        require_host()
    except SandboxError as error:
        missing(str(error))
    return choice


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sandbox(options: SandboxOptions) -> AsyncIterator[Sandbox]:
    """A sandbox of two slots, shared by the tests of a module."""
    sandbox = await open_sandbox(options)
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
