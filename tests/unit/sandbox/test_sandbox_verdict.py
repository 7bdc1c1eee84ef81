"""How a program ended becomes a status: what the supervisor saw decides, then the payload."""

import json
import signal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.api import Limits, Program, Raised, Run, RunStatus, Value
from sandbox.image.wire import Ending, Parts, Reply
from sandbox.verdict import encode_body, to_run

LIMITS = Limits()


def judge(ending: Ending = Ending.EXITED, exit_code: int = 0, payload: bytes = b"", calls: int = 1) -> Run:
    return to_run(Reply(ending, 1, exit_code, 1_500, 2_500, len(payload)), payload, range(calls), LIMITS)


@pytest.mark.parametrize(
    ("ending", "exit_code", "payload", "status"),
    [
        (Ending.EXITED, 0, b'["ok",[["v",["n"]]]]', RunStatus.OK),
        (Ending.EXITED, 1, b'["ok",[["v",["n"]]]]', RunStatus.OK),  # exit codes say nothing of results
        (Ending.EXITED, 0, b"", RunStatus.CRASHED),  # exit(0) is not a pass
        (Ending.EXITED, 3, b"", RunStatus.CRASHED),
        (Ending.EXITED, -signal.SIGSEGV, b"", RunStatus.CRASHED),
        (Ending.EXITED, -signal.SIGKILL, b"", RunStatus.MEMORY_LIMIT),
        (Ending.EXITED, -signal.SIGXCPU, b"", RunStatus.CPU_LIMIT),
        (Ending.EXITED, 0, b'["ok",[]]', RunStatus.BAD_RESULT),
        (Ending.EXITED, 0, b"passed", RunStatus.BAD_RESULT),
        (Ending.EXITED, 0, b'["memory"]', RunStatus.MEMORY_LIMIT),
        (Ending.EXITED, 0, b'["large"]', RunStatus.OUTPUT_LIMIT),
        (Ending.EXITED, 0, b'["load","source","SyntaxError","m"]', RunStatus.LOAD_ERROR),
        (Ending.CPU_LIMIT, -signal.SIGKILL, b"", RunStatus.CPU_LIMIT),
        (Ending.WALL_LIMIT, -signal.SIGKILL, b"", RunStatus.WALL_LIMIT),
        (Ending.OUTPUT_LIMIT, -signal.SIGKILL, b"", RunStatus.OUTPUT_LIMIT),
    ],
)
def test_endings_have_a_status(ending: Ending, exit_code: int, payload: bytes, status: RunStatus):
    run = judge(ending, exit_code, payload)

    assert run.status is status
    assert (run.results == ()) == (status is not RunStatus.OK)
    assert (run.detail == "") == (status is RunStatus.OK)


@pytest.mark.parametrize(
    ("message", "detail"), [("oh", "source: KeyError: oh"), ("", "source: KeyError")], ids=["oh", "none"]
)
def test_the_detail_of_a_load_error_ends_with_the_last_word(message: str, detail: str):
    payload = json.dumps(["load", "source", "KeyError", message]).encode()

    assert judge(payload=payload).detail == detail


def test_times_are_in_milliseconds():
    run = judge(payload=b'["ok",[["v",["n"]]]]')

    assert (run.cpu_ms, run.wall_ms) == (1.5, 2.5)


def test_results_come_back_in_the_order_of_the_program():
    program = Program(source="", calls=("a", "b", "c"))
    order = [2, 0, 1]

    sent = Parts.unpack(encode_body(program, order))
    payload = json.dumps(["ok", [["v", ["s", call]] for call in sent.calls]]).encode("ascii")

    assert sent.calls == ["c", "a", "b"]
    assert to_run(Reply(Ending.EXITED, 1), payload, order, LIMITS).results == (
        Value("a"),
        Value("b"),
        Value("c"),
    )


def test_a_call_that_raised_is_a_result():
    run = judge(payload=b'["ok",[["e","ValueError","no"]]]')

    assert run.results == (Raised("ValueError", "no"),)


def test_source_that_is_not_valid_unicode_can_be_sent():
    body = encode_body(Program(source="'\ud800'", calls=()), [])

    assert Parts.unpack(body).source == "'\ud800'"


@given(st.lists(st.text(st.characters(exclude_characters="\0")), min_size=2), st.integers(0, 3))
def test_a_program_arrives_as_it_was_sent(texts: list[str], imports: int):
    source, setup, *others = texts
    program = Program(
        source=source, imports=tuple(others[:imports]), setup=setup, calls=tuple(others[imports:])
    )

    sent = Parts.unpack(encode_body(program, range(len(program.calls))))

    assert sent == Parts(source, others[:imports], setup, others[imports:])


@pytest.mark.parametrize("field", [{"setup": "\0"}, {"imports": ("\0",)}, {"calls": ("f()", "f\0()")}])
def test_a_null_character_cannot_move_the_borders_of_a_program(field: dict[str, Any]):
    program = Program(**{"source": "", "calls": (), **field})

    with pytest.raises(ValueError, match="null character"):
        encode_body(program, range(len(program.calls)))
