"""From a program to a request body, and from a reply to a `Run`: pure functions.

The supervisor's header says how the program ended; the program's payload says what
its calls returned, and is believed only as far as `sandbox.codec` lets it.
"""

import signal
from collections.abc import Sequence

from sandbox.api import Limits, Program, Run, RunStatus
from sandbox.codec import ForgedReportError, Loaded, LoadFailed, OutOfMemory, Report, TooLarge, decode_report
from sandbox.image.wire import Ending, Parts, Reply

_LIMITS_BROKEN = {
    Ending.CPU_LIMIT: RunStatus.CPU_LIMIT,
    Ending.WALL_LIMIT: RunStatus.WALL_LIMIT,
    Ending.OUTPUT_LIMIT: RunStatus.OUTPUT_LIMIT,
}


def encode_body(program: Program, order: Sequence[int]) -> bytes:
    """Return the body of a request whose i-th call is `program.calls[order[i]]`.

    Raises:
        ValueError: a source holds a null character.
    """
    calls = [program.calls[index] for index in order]
    return Parts(program.source, program.imports, program.setup, calls).pack()


def to_run(reply: Reply, payload: bytes, order: Sequence[int], limits: Limits) -> Run:
    """Judge how a program ended; results come back in the order of `program.calls`."""
    if reply.ending in _LIMITS_BROKEN:
        run = Run(status=_LIMITS_BROKEN[reply.ending], detail=_describe_limit(reply.ending, limits))
    elif not payload:
        run = _judge_death(reply.exit_code, limits)
    else:
        run = _judge_payload(payload, order)
    return Run(
        status=run.status,
        results=run.results,
        detail=run.detail,
        cpu_ms=reply.cpu_us / 1000,
        wall_ms=reply.wall_us / 1000,
    )


def _describe_limit(ending: Ending, limits: Limits) -> str:
    match ending:
        case Ending.CPU_LIMIT:
            return f"used more than {limits.cpu_seconds:g} s of CPU time"
        case Ending.WALL_LIMIT:
            return f"ran longer than {limits.wall_seconds:g} s"
        case _:
            return f"results larger than {limits.result_bytes} bytes"


def _judge_death(exit_code: int, limits: Limits) -> Run:
    if exit_code == -signal.SIGKILL:  # no program can send it, and the supervisor did not: the OOM killer
        return Run(status=RunStatus.MEMORY_LIMIT, detail="killed by the kernel for its memory use")
    if exit_code == -signal.SIGXCPU:
        return Run(status=RunStatus.CPU_LIMIT, detail=_describe_limit(Ending.CPU_LIMIT, limits))
    if exit_code < 0:
        return Run(status=RunStatus.CRASHED, detail=f"killed by signal {-exit_code}")
    return Run(status=RunStatus.CRASHED, detail=f"exited with code {exit_code} before its results")


def _judge_payload(payload: bytes, order: Sequence[int]) -> Run:
    try:
        report = decode_report(payload, len(order))
    except ForgedReportError as error:
        return Run(status=RunStatus.BAD_RESULT, detail=str(error))
    return _judge_report(report, order)


def _judge_report(report: Report, order: Sequence[int]) -> Run:
    match report:
        case Loaded(results):
            by_index = dict(zip(order, results, strict=True))
            return Run(status=RunStatus.OK, results=tuple(by_index[index] for index in range(len(order))))
        case LoadFailed(part, error):
            words = [part, error.type_name, *([error.message] if error.message else [])]
            return Run(status=RunStatus.LOAD_ERROR, detail=": ".join(words))
        case OutOfMemory():
            return Run(status=RunStatus.MEMORY_LIMIT, detail="out of memory")
        case TooLarge():
            return Run(status=RunStatus.OUTPUT_LIMIT, detail="results with too many values")
