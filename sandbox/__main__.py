"""The sandbox from a shell: build its image, check this host, run a file."""

import argparse
import asyncio
import sys
from pathlib import Path

from sandbox.api import CallResult, Limits, Program, Raised, Run, RunStatus, SandboxError, Value
from sandbox.build import Base, build_image
from sandbox.docker import Engine
from sandbox.hostcheck import check_host
from sandbox.opening import open_sandbox
from sandbox.options import BackendChoice, SandboxOptions
from sandbox.owner import Owner


def main() -> int:
    """Run one command; returns the exit code."""
    arguments = _parser().parse_args()
    try:
        match arguments.command:
            case "build":
                return _build(arguments)
            case "check":
                return 0 if asyncio.run(check_host(_options(arguments), _say)) else 1
            case _:
                return asyncio.run(_run(arguments))
    except (SandboxError, ValueError) as error:
        print(f"sandbox: {error}", file=sys.stderr)  # noqa: T201  (a command line talks to a person)
        return 1


def _options(arguments: argparse.Namespace) -> SandboxOptions:
    return SandboxOptions(
        slots=1,
        backend=BackendChoice(arguments.backend),
        docker_host=arguments.docker_host,
        runtime=arguments.runtime,
    )


def _build(arguments: argparse.Namespace) -> int:
    try:
        build_image(Engine(arguments.docker_host, Owner.this_process()), Base(arguments.base), _say)
    except SandboxError as error:
        if not arguments.if_engine:
            raise
        reason = " ".join(str(error).split())
        _say(f"no sandbox: {reason}; until that is mended, code is answered with SANDBOX failures")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("--docker-host", help="engine address; default: DOCKER_HOST or the local socket")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build", help="build the image, unless the engine has it")
    build.add_argument("--base", choices=[base.value for base in Base], default=Base.AUTO.value)
    build.add_argument(
        "--if-engine", action="store_true", help="where no image can be had, say so and succeed"
    )
    check = commands.add_parser("check", help="tell whether this host is fit, limit by limit")
    run = commands.add_parser("run", help="run a Python file and print the results of calls")
    for command in (check, run):
        choices = [choice.value for choice in BackendChoice]
        command.add_argument("--backend", choices=choices, default=BackendChoice.AUTO.value)
        command.add_argument("--runtime", help="the engine's runtime, e.g. runsc for gVisor")
    run.add_argument("file", type=Path)
    run.add_argument("--call", action="append", default=[], help="an expression to evaluate; may be repeated")
    return parser


async def _run(arguments: argparse.Namespace) -> int:
    source: str = arguments.file.read_text(encoding="utf-8")
    sandbox = await open_sandbox(_options(arguments))
    try:
        run = await sandbox.run(Program(source=source, calls=tuple(arguments.call)), Limits())
    finally:
        await sandbox.close()
    _say(_describe(run, arguments.call))
    return 0 if run.status is RunStatus.OK else 1


def _describe(run: Run, calls: list[str]) -> str:
    status = f"{run.status.value} in {run.cpu_ms:.1f} ms of CPU time"
    lines = [f"{status}: {run.detail}" if run.detail else status]
    lines += [f"{call} {_describe_result(result)}" for call, result in zip(calls, run.results, strict=False)]
    return "\n".join(lines)


def _describe_result(result: CallResult) -> str:
    match result:
        case Value(data):
            return f"= {data!r}"
        case Raised(type_name, message):
            return f"raised {type_name}: {message}"
        case _:
            return f"returned {result.type_name}, which is not plain data"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201  (a command line talks to a person)


if __name__ == "__main__":
    sys.exit(main())
