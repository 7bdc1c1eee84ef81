"""One program in its own process: give up every power, load, call, report, exit.

The process is forked by the supervisor and never returns to it. It writes READY when
all powers are gone and the program is about to be loaded; without that byte the failure
is ours, and what is written instead says why. Everything after it is untrusted, whoever
wrote it: JSON in UTF-8, with lone surrogates as they are (as escapes, two of them could
join into another character):

    ["ok", [result, ..]]          result: ["v", tagged] | ["e", type, message] | ["u", type]
    ["load", part, type, message] the source, the imports or the setup raised
    ["memory"]                    memory ran out
    ["large"]                     the results are too many to send
"""

import contextlib
import json
import os
import random
import resource
import sys
from types import ModuleType
from typing import Any

from sandbox.image.encoder import Encoder, NotPlainError, TooLargeError
from sandbox.image.seccomp import Filter
from sandbox.image.wire import Request

READY = b"R"
RESULT_FD = 3
MODULE_NAME = "program"
MAX_MESSAGE_CHARS = 500
STACK_BYTES = 64 * 1024 * 1024


def run(request: Request, body: bytes, uid: int, result_fd: int, syscalls: Filter) -> None:
    """Run the program of `body` and write its report; the caller exits the process afterwards."""
    os.dup2(result_fd, RESULT_FD)
    try:
        _give_up_power(request, uid, syscalls)
    except OSError as error:
        os.write(RESULT_FD, str(error).encode("utf-8", "replace")[:MAX_MESSAGE_CHARS])
        return
    program = json.loads(body)
    dumps, write = json.dumps, os.write  # the program may replace what the modules hold
    write(RESULT_FD, READY)
    text = dumps(_report(program), separators=(",", ":"), ensure_ascii=False)
    report = memoryview(text.encode("utf-8", "surrogatepass"))
    while report:
        report = report[write(RESULT_FD, report) :]


def _give_up_power(request: Request, uid: int, syscalls: Filter) -> None:
    null = os.open("/dev/null", os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    os.closerange(RESULT_FD + 1, 1024)
    for name, value in _resource_limits(request).items():
        resource.setrlimit(name, (value, value))
    for name in (resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        with contextlib.suppress(ValueError):  # gVisor refuses limits of what it does not have
            resource.setrlimit(name, (0, 0))
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    syscalls.install()


def _resource_limits(request: Request) -> dict[int, int]:
    return {
        resource.RLIMIT_AS: request.memory_bytes,
        resource.RLIMIT_CPU: request.cpu_ms // 1000 + 2,  # a backstop: the supervisor's clock decides
        resource.RLIMIT_STACK: STACK_BYTES,
        resource.RLIMIT_FSIZE: 0,
        resource.RLIMIT_NOFILE: 16,
        resource.RLIMIT_NPROC: 1,
        resource.RLIMIT_CORE: 0,
    }


def _report(program: dict[str, Any]) -> list[Any]:
    module = ModuleType(MODULE_NAME)
    sys.modules[MODULE_NAME] = module
    random.seed(0)
    parts = [("source", program["source"])]
    parts += [("imports", line) for line in program["imports"]]
    parts += [("setup", program["setup"])]
    try:
        for name, source in parts:
            failure = _load(name, source, module.__dict__)
            if failure is not None:
                return failure
        encoder = Encoder()
        return ["ok", [_call(source, module.__dict__, encoder) for source in program["calls"]]]
    except MemoryError:
        return ["memory"]
    except TooLargeError:
        return ["large"]


def _load(part: str, source: str, namespace: dict[str, Any]) -> list[Any] | None:
    try:
        code = compile(source, f"<{part}>", "exec", dont_inherit=True)
    except BaseException as error:  # noqa: BLE001  (the compiler raises many kinds, MemoryError for deep nesting)
        return ["load", part, *_describe(error)]
    try:
        exec(code, namespace)  # noqa: S102  (running it is the purpose; all powers are gone by now)
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001  (whatever a program raises is data)
        return ["load", part, *_describe(error)]
    return None


def _call(source: str, namespace: dict[str, Any], encoder: Encoder) -> list[Any]:
    try:
        value = eval(compile(source, "<call>", "eval", dont_inherit=True), namespace)  # noqa: S307  (as above)
        return ["v", encoder.encode(value)]
    except (MemoryError, TooLargeError):
        raise
    except NotPlainError as error:
        return ["u", str(error)[:MAX_MESSAGE_CHARS]]
    except BaseException as error:  # noqa: BLE001  (whatever a program raises is data)
        return ["e", *_describe(error)]


def _describe(error: BaseException) -> tuple[str, str]:
    try:
        message = str(error)[:MAX_MESSAGE_CHARS]
    except BaseException:  # noqa: BLE001  (`__str__` is the program's own)
        message = ""
    name: Any = type(error).__name__
    return (name if type(name) is str else "Exception")[:MAX_MESSAGE_CHARS], message
