"""Fixtures that need a real engine: the sandbox image, built as a user builds it."""

import pytest

from sandbox.build import Base, build_image
from sandbox.docker import Engine
from sandbox.owner import Owner


@pytest.fixture(scope="session")
def sandbox_image(docker_engine: None) -> str:
    """The tag of the sandbox image, built now if the engine does not have it."""
    return build_image(Engine(None, Owner.this_process()), Base.AUTO, print)
