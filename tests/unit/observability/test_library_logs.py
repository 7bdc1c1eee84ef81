"""What libraries say reaches the log as events, without the values they quote."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from reward_server import telemetry
from reward_server.library_logs import LibraryHandler, said

SECRET = "what the model wrote"


@pytest.fixture(autouse=True)
def undone() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, LibraryHandler)]


@pytest.mark.parametrize(
    ("logger", "message", "kept"),
    [
        (
            "asyncio",
            f"Task exception was never retrieved\nfuture: <Task {SECRET}>",
            "Task exception was never retrieved",
        ),
        ("asyncio", f"Exception in callback <{SECRET}>", "Exception in callback"),
        ("grpc._cython.cygrpc", f"Failed: {SECRET}", "Failed"),
        ("some.library", f"bad value '{SECRET}'", "bad value"),
        ("some.library", f'bad value "{SECRET}"', "bad value"),
        ("sandbox.runner", "a container was lost: it died", "a container was lost: it died"),
    ],
)
def test_a_message_is_kept_up_to_where_a_value_could_start(logger: str, message: str, kept: str) -> None:
    record = logging.LogRecord(logger, logging.ERROR, "", 0, message, (), None)

    assert said(record) == kept


def test_an_exception_is_logged_by_type_and_place(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("json")
    try:
        int(SECRET)
    except ValueError:
        logging.getLogger("asyncio").exception("Task exception was never retrieved\n%s", SECRET)

    text = capsys.readouterr().err
    line = json.loads(text)
    assert (line["event"], line["level"], line["error"]) == ("library", "error", "ValueError")
    assert "test_library_logs.py" in line["trace"][0]
    assert SECRET not in text


def test_configuring_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure("json")
    telemetry.configure("json")
    logging.getLogger("sandbox.choosing").info("programs run in a box")
    logging.getLogger("some.library").info("of no interest")

    (line,) = capsys.readouterr().err.splitlines()
    assert json.loads(line)["message"] == "programs run in a box"
