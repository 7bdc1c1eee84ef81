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

What is the same for all programs is given up once, by `prepare` in the supervisor, and
inherited. A new process shares its memory with the supervisor until it writes to it, and
every object it as much as looks at is written to (its reference count): each page costs a
copy, and these copies are most of a program's time. Hence as few objects as possible.
"""

import os
import resource
import signal
import sys
from types import ModuleType
from typing import Any, NamedTuple

from sandbox.image.encoder import Encoder, NotPlainError, TooLargeError, quote
from sandbox.image.seccomp import Filter
from sandbox.image.wire import Parts, Request

READY = b"R"
RESULT_FD = 3
MODULE_NAME = "program"
MAX_MESSAGE_CHARS = 500
STACK_BYTES = 64 * 1024 * 1024
MAX_FILES = 16


class Powers(NamedTuple):
    """What a child gives up its powers with, made in the supervisor."""

    uid: int  # of programs
    null_fd: int
    syscalls: Filter
    unusual: tuple[int, ...]  # signals that whoever started the server ignores or blocks


# Python's own choice.
_USUALLY_IGNORED = (signal.SIGPIPE, signal.SIGXFSZ)


def prepare(uid: int) -> Powers:
    """Give up, in the supervisor and for good, what neither it nor any program needs."""
    os.setgroups([])
    resource.setrlimit(resource.RLIMIT_STACK, (STACK_BYTES, STACK_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (MAX_FILES, MAX_FILES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for name in (resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        try:
            resource.setrlimit(name, (0, 0))
        except ValueError:  # gVisor refuses limits of what it does not have
            continue
    return Powers(uid, os.open("/dev/null", os.O_RDWR), Filter(), _unusual_signals())


def _unusual_signals() -> tuple[int, ...]:
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    ignored = (each for each in signal.valid_signals() if signal.getsignal(each) is signal.SIG_IGN)
    return tuple(int(each) for each in {*ignored, *blocked}.difference(_USUALLY_IGNORED))


def run(request: Request, body: memoryview, result_fd: int, powers: Powers) -> None:
    """Run the program of `body` and write its report; the caller exits the process afterwards."""
    write = os.write  # the program may replace what the module holds
    for fd in range(RESULT_FD):
        os.dup2(powers.null_fd, fd)
    os.dup2(result_fd, RESULT_FD)  # last: the null device may have had this number
    try:
        _give_up_power(request, powers)
    except OSError as error:
        write(RESULT_FD, str(error).encode("utf-8", "replace")[:MAX_MESSAGE_CHARS])
        return
    program = Parts.unpack(bytes(body))
    write(RESULT_FD, READY)
    report = _report(program).encode("utf-8", "surrogatepass")
    while report:
        report = report[write(RESULT_FD, report) :]


def _give_up_power(request: Request, powers: Powers) -> None:
    uid = powers.uid
    # The supervisor keeps them: it must survive what the server does.
    for number in powers.unusual:
        usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, usual)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (number,))
    os.closerange(RESULT_FD + 1, MAX_FILES)
    cpu_seconds = request.cpu_ms // 1000 + 2  # a backstop: the supervisor's clock decides
    resource.setrlimit(resource.RLIMIT_AS, (request.memory_bytes, request.memory_bytes))
    resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))  # not in `prepare`: standard error may be a file
    resource.setrlimit(resource.RLIMIT_NPROC, (1, 1))
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    powers.syscalls.install()


def _report(program: Parts) -> str:
    module = ModuleType(MODULE_NAME)
    sys.modules[MODULE_NAME] = module
    try:
        failure = _load_all(program, module.__dict__)
        if failure is not None:
            return failure
        encoder = Encoder()
        results = [_call(source, module.__dict__, encoder) for source in program.calls]
        return f'["ok",[{",".join(results)}]]'
    except MemoryError:
        return '["memory"]'
    except TooLargeError:
        return '["large"]'


def _load_all(program: Parts, namespace: dict[str, Any]) -> str | None:
    failure = _load("source", program.source, namespace)
    for line in program.imports:
        failure = failure or _load("imports", line, namespace)
    if program.setup:
        failure = failure or _load("setup", program.setup, namespace)
    return failure


def _load(part: str, source: str, namespace: dict[str, Any]) -> str | None:
    try:
        code = compile(source, f"<{part}>", "exec", dont_inherit=True)
    except BaseException as error:  # noqa: BLE001  (the compiler raises many kinds, MemoryError for deep nesting)
        return _failure(part, error)
    try:
        exec(code, namespace)  # noqa: S102  (running it is the purpose; all powers are gone by now)
    except MemoryError:
        raise
    except BaseException as error:  # noqa: BLE001  (whatever a program raises is data)
        return _failure(part, error)
    return None


def _failure(part: str, error: BaseException) -> str:
    return f'["load","{part}",{_describe(error)}]'


def _call(source: str, namespace: dict[str, Any], encoder: Encoder) -> str:
    try:
        value = eval(compile(source, "<call>", "eval", dont_inherit=True), namespace)  # noqa: S307  (as above)
        return f'["v",{encoder.encode(value)}]'
    except (MemoryError, TooLargeError):
        raise
    except NotPlainError as error:
        return f'["u",{quote(str(error)[:MAX_MESSAGE_CHARS])}]'
    except BaseException as error:  # noqa: BLE001  (whatever a program raises is data)
        return f'["e",{_describe(error)}]'


def _describe(error: BaseException) -> str:
    """Write the name of an exception's type and its message, both of which may be of the program's making."""
    name: Any = type(error).__name__
    try:
        message: Any = str(error)[:MAX_MESSAGE_CHARS]
    except BaseException:  # noqa: BLE001  (`__str__` is the program's own)
        message = ""
    kind = name[:MAX_MESSAGE_CHARS] if type(name) is str else "Exception"
    return f"{quote(kind)},{quote(message if type(message) is str else '')}"
