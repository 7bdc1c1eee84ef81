"""Tells a person whether a host is fit to run untrusted programs, backend by backend, limit by limit."""

import sys
from collections.abc import Callable
from dataclasses import replace

from sandbox.api import SandboxError
from sandbox.bubblewrap import dotted, host_version, require_host
from sandbox.docker import Engine
from sandbox.opening import open_unchecked
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.owner import Owner
from sandbox.selfcheck import probe_all
from sandbox.sources import image_tag

Say = Callable[[str], None]
Line = tuple[bool, str]  # whether it holds, and what


async def check_host(options: SandboxOptions, say: Say) -> bool:
    """Check each backend that may be used, saying one line for each limit; True when one is fit."""
    fit: list[str] = []
    for backend in options.backends():
        say(f"{backend.value}:")
        if await _check_backend(backend, options, say):
            fit.append(backend.value)
    say(f"programs run in {fit[0]}" if fit else "no backend is fit: code is answered with SANDBOX failures")
    return bool(fit)


async def _check_backend(backend: BackendChoice, options: SandboxOptions, say: Say) -> bool:
    try:
        lines = _docker_lines(options) if backend is BackendChoice.DOCKER else _bubblewrap_lines()
        _say_lines(lines, say)
        found = await _probe(replace(options, backend=backend), say)
    except SandboxError as error:
        _say_lines([(False, str(error))], say)
        return False
    return found and all(holds for holds, _ in lines)


async def _probe(options: SandboxOptions, say: Say) -> bool:
    sandbox = await open_unchecked(options)
    try:
        await sandbox.check()
        findings = await probe_all(sandbox)
    finally:
        await sandbox.close()
    lines = [(not problem, f"{name}: {problem}" if problem else name) for name, problem in findings]
    _say_lines(lines, say)
    return all(holds for holds, _ in lines)


def _docker_lines(options: SandboxOptions) -> list[Line]:
    engine = Engine(options.docker_host, Owner.this_process())
    facts = engine.facts()
    tag = image_tag()
    return [
        (facts.os_type == "linux", f"Docker Engine {facts.version} with {facts.os_type} containers"),
        *((name in facts.limits, f"the engine can limit {name}") for name in ("memory", "swap", "pids")),
        (not facts.remaps_users, "the engine does not remap users"),
        (engine.has_image(tag), f"image {tag} is there (else: python -m sandbox build)"),
    ]


def _bubblewrap_lines() -> list[Line]:
    version = host_version(require_host())
    return [
        (True, f"bubblewrap {dotted(version)}, as root"),
        (True, f"programs run in Python {sys.version.split()[0]} of {sys.base_prefix}"),
    ]


def _say_lines(lines: list[Line], say: Say) -> None:
    for holds, text in lines:
        say(f"  {'ok  ' if holds else 'NO  '} {text}")
