"""What callers send stays out of logs, metrics, traces and the page, whatever goes wrong with it."""

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Iterator

import grpc
import pytest
import structlog
from reward.v1 import reward_pb2 as pb

from reward_server import telemetry
from reward_server.api import CostClass, Grade, Sample, Verdict
from reward_server.errors import BadReferenceError
from reward_server.library_logs import LibraryHandler
from tests.fake_rewards import Inline, completion, info
from tests.served import sample
from tests.watched import Watched, collector, watched

SECRET = "the-ships-sail-at-dawn"


def raises(error: type[Exception]) -> Inline:
    def judge(answer: str) -> Grade:
        raise error(f"cannot read {answer!r} of {SECRET}")

    return Inline(judge, name=error.__name__)


class Awaited:
    """Fails in its queue, and leaves a task behind that fails unseen."""

    info = info("awaited", CostClass.WORKER)

    def grade(self, sample: Sample, answer: str) -> Awaitable[Grade]:
        return self._work(sample, answer)

    async def _work(self, sample: Sample, answer: str) -> Grade:
        asyncio.get_running_loop().call_soon(self._callback, sample)
        task = asyncio.create_task(self._lost(answer))
        await asyncio.wait({task})
        raise RuntimeError(f"{SECRET}: {sample!r}")

    async def _lost(self, answer: str) -> None:
        raise ValueError(answer)

    def _callback(self, sample: Sample) -> None:
        raise KeyError(sample.completion)


def impossible(answer: str) -> Grade:
    return Grade(value=1.0, verdict=answer, explanation=answer)  # type: ignore[arg-type]


def out_of_range(answer: str) -> Grade:
    return Grade(value=7.0, verdict=Verdict.CORRECT, explanation=answer, components={answer: 2.0})


REWARDS = (
    Inline(),
    raises(ValueError),
    raises(BadReferenceError),
    Awaited(),
    Inline(impossible, name="impossible"),
    Inline(out_of_range, name="out_of_range"),
)


def secret(reward: str, **changes: object) -> pb.Sample:
    """A sample whose every text that is not metadata holds the secret."""
    fields: dict[str, object] = {
        "prompt": SECRET,
        "completion": completion(SECRET),
        "group_id": SECRET,
        "math": pb.MathReference(answer=SECRET),
        **changes,
    }
    return sample(f"{SECRET}-{reward}", reward, **fields)


@pytest.fixture
def undone() -> Iterator[None]:
    yield
    structlog.reset_defaults()
    root = logging.getLogger()
    root.handlers = [each for each in root.handlers if not isinstance(each, LibraryHandler)]


async def test_no_failure_quotes_a_caller(
    undone: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with collector() as got:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", got.endpoint)
        async with watched(*REWARDS) as page:
            telemetry.configure("json")
            answered = await _send_everything(page)
            shown = [await page.get(path) for path in ("metrics", "status.json")]
    logged = capsys.readouterr().err
    sent = [str(request) for request in (*got.traces, *got.metrics)]

    assert answered == {"OK", "INTERNAL", "INVALID_ARGUMENT"}
    assert got.traces
    assert got.metrics
    assert {"call", "reward_defect", "server_defect", "library"} <= {
        json.loads(line)["event"] for line in logged.splitlines()
    }
    for text in (logged, *shown, *sent):
        assert SECRET not in text


async def _send_everything(page: Watched) -> set[str]:
    """Every way to fail, in a batch and in a stream; returns the statuses that came of it."""
    header = (("traceparent", SECRET),)
    score = page.server.unary("Score", pb.ScoreRequest, pb.ScoreResponse)
    names = (*(reward.info.name for reward in REWARDS), SECRET)
    requests = [
        *(pb.ScoreRequest(samples=[secret(name)]) for name in names),
        pb.ScoreRequest(samples=[secret("inline", boolean=pb.BooleanReference(value=True))]),
        pb.ScoreRequest(samples=[secret("inline", completion=SECRET)]),
        pb.ScoreRequest(samples=[secret("inline", completion=SECRET * 20_000)]),
        pb.ScoreRequest(samples=[secret("inline"), secret("inline")]),
    ]
    codes = {await _code(score(request, timeout=30.0, metadata=header)) for request in requests}
    raw = page.server.channel.unary_unary("/reward.v1.RewardService/Score")
    codes.add(await _code(raw(b"\x0a\xff" + SECRET.encode(), timeout=30.0)))
    for name in names:
        stream = page.server.stream()
        await stream.write(secret(name))
        await stream.done_writing()
        with contextlib.suppress(grpc.aio.AioRpcError):
            assert [outcome async for outcome in stream]
        codes.add((await stream.code()).name)
    return codes


async def _code(call: grpc.aio.UnaryUnaryCall) -> str:
    return (await call.code()).name
