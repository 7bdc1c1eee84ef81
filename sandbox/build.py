"""Builds the sandbox image, from a registry's Python image or from Debian packages.

Without a registry the base is made with debootstrap from the mirror that this
machine's package manager uses.
"""

import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from enum import Enum
from pathlib import Path

from sandbox.api import SandboxError
from sandbox.docker import Engine
from sandbox.sources import image_tag, pack_context

REGISTRY_BASE = "python:3.12-slim"
BASE_REPOSITORY = "assay-sandbox-base"
_LEFT_OUT = (
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "dev",
)

Say = Callable[[str], None]


class Base(Enum):
    """What the image is built on."""

    AUTO = "auto"  # the registry's image, or Debian packages when that cannot be had
    REGISTRY = REGISTRY_BASE
    DEBOOTSTRAP = "debootstrap"


def build_image(engine: Engine, base: Base, say: Say) -> str:
    """Build the image unless the engine has it; returns its tag.

    Raises:
        SandboxError: it could not be built; the message says why.
    """
    tag = image_tag()
    if engine.has_image(tag):
        say(f"image {tag} exists already")
        return tag
    match base:
        case Base.REGISTRY:
            _build_on(engine, tag, REGISTRY_BASE, say)
        case Base.DEBOOTSTRAP:
            _build_on(engine, tag, _debian_base(engine, say), say)
        case Base.AUTO:
            try:
                _build_on(engine, tag, REGISTRY_BASE, say)
            except SandboxError as error:
                say(f"{error}\nmaking the base from Debian packages instead")
                _build_on(engine, tag, _debian_base(engine, say), say)
    return tag


def _build_on(engine: Engine, tag: str, base: str, say: Say) -> None:
    say(f"building {tag} from {base}")
    for line in engine.build_image(tag, pack_context(), base):
        if line:
            say(f"  {line}")
    say(f"built {tag}")


def _debian_base(engine: Engine, say: Say) -> str:
    suite = _suite()
    name = f"{BASE_REPOSITORY}:{suite}"
    if engine.has_image(name):
        return name
    if os.geteuid() != 0 or shutil.which("debootstrap") is None:
        raise SandboxError(
            "making the base needs root and the package debootstrap (apt-get install debootstrap)"
        )
    with tempfile.TemporaryDirectory(prefix="assay-sandbox-base-") as directory:
        root, archive = Path(directory, "root"), Path(directory, "root.tar")
        say(f"installing {suite} with python3 into a temporary directory; this takes a minute")
        mirror = _mirror(suite)
        packages = ["--variant=minbase", "--include=python3"]
        _call(["debootstrap", *packages, suite, str(root), *([mirror] if mirror else [])])
        excluded = [f"--exclude=./{path}/*" for path in _LEFT_OUT]
        _call(["tar", "--create", "--file", str(archive), "--directory", str(root), *excluded, "."])
        say(f"importing {name}, {archive.stat().st_size // 1_000_000} MB")
        engine.import_image(archive, BASE_REPOSITORY, suite)
    return name


def _suite() -> str:
    suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    if not suite:
        raise SandboxError("debootstrap needs a Debian or Ubuntu host: no VERSION_CODENAME in os-release")
    return suite


def _mirror(suite: str) -> str | None:
    """Return the mirror that the package manager uses for a suite, None to leave it to debootstrap."""
    targets = _call(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"])
    lines = [line.split() for line in targets.splitlines()]
    return next((line[1] for line in lines if len(line) == 2 and line[0] == suite), None)


def _call(command: list[str]) -> str:
    try:
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env={**os.environ, "LC_ALL": "C"}
        ).stdout
    except FileNotFoundError as error:
        raise SandboxError(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        last = (error.stderr or error.stdout).strip().splitlines()[-3:]
        raise SandboxError(f"{command[0]} failed with code {error.returncode}: {' / '.join(last)}") from error
