"""The journal, the rows and the files of a recording, and what becomes of them when things break."""

import os
import random
import resource
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from reward.v1 import reward_pb2 as pb

from reward_server.api import (
    BooleanReference,
    ChoiceReference,
    CodeReference,
    Failure,
    FailureKind,
    MathReference,
    Outcome,
    Reference,
    Sample,
    Score,
    TextReference,
    Verdict,
)
from reward_server.errors import ConfigurationError
from reward_server.recording import convert, parquet
from reward_server.recording.journal import DamagedJournalError, Frame, Segment, claimed, frames
from reward_server.recording.recorder import Recorder, open_recorder
from reward_server.recording.rows import Recorded, about, as_batch, rows

WAIT_S = 30.0
ABOUT = about("1.2.3", "abcd")
SCORE = Score(value=0.6, components={"format": 1.0}, verdict=Verdict.PARTIAL, explanation="half of it")
REFERENCES: list[Reference | None] = [
    None,
    MathReference(answer="18"),
    CodeReference(tests=("assert f(1) == 2",), imports=("import math",), reference_cpu_ms=1.5),
    ChoiceReference(labels=("A", "B"), texts=("iron", "gold"), correct_label="B"),
    BooleanReference(value=False),
    TextReference(reference="r", source=""),
]


def request(number: int, samples: int = 2) -> bytes:
    return pb.ScoreRequest(
        samples=[
            pb.Sample(
                sample_id=f"{number}-{each}", reward="math", completion="c" * 50, metadata={"step": "1"}
            )
            for each in range(samples)
        ]
    ).SerializeToString()


def response(number: int, samples: int = 2) -> bytes:
    failure = pb.Failure(kind=pb.SANDBOX, message="no engine")
    return pb.ScoreResponse(
        outcomes=[pb.Outcome(sample_id=f"{number}-{each}", failure=failure) for each in range(samples)]
    ).SerializeToString()


def frame(number: int) -> Frame:
    return Frame(
        about={"call": f"call-{number}", "at": 1.5}, request=request(number), response=response(number)
    )


def segment(directory: Path, count: int) -> Path:
    """A finished segment of `count` calls."""
    written = Segment(directory, "s", ABOUT)
    for number in range(count):
        written.append(frame(number))
    written.close()
    return directory / "s.journal"


def ids(directory: Path) -> list[str]:
    """The ids in all files of a recording, as any reader of Parquet sees them."""
    found = [
        pq.read_table(file).column("sample_id").to_pylist() for file in sorted(directory.glob("*.parquet"))
    ]
    return [each for column in found for each in column]


def eventually(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def test_a_journal_is_read_back_frame_by_frame(tmp_path: Path) -> None:
    with claimed(segment(tmp_path, 3)) as file:
        assert file is not None
        assert list(frames(file)) == [Frame(about=ABOUT), *(frame(number) for number in range(3))]


def test_a_torn_journal_is_read_up_to_its_last_whole_frame(tmp_path: Path) -> None:
    whole = segment(tmp_path, 3)
    content = whole.read_bytes()
    counts = []
    for length in range(len(content)):
        whole.write_bytes(content[:length])
        with claimed(whole) as file:
            assert file is not None
            counts.append(len(list(frames(file))))

    assert counts == sorted(counts)
    assert set(counts) == {0, 1, 2, 3}


def test_a_damaged_frame_is_noticed_and_what_came_before_it_is_kept(tmp_path: Path) -> None:
    whole = segment(tmp_path, 3)
    content = bytearray(whole.read_bytes())
    content[-10] ^= 1
    whole.write_bytes(content)

    with claimed(whole) as file:
        assert file is not None
        with pytest.raises(DamagedJournalError):
            list(frames(file))
    assert "damaged" in str(convert.convert(whole))
    assert ids(tmp_path) == ["0-0", "0-1", "1-0", "1-1"]
    assert (tmp_path / "s.damaged").exists()


@pytest.mark.parametrize("seed", range(30))
def test_random_damage_never_stops_the_conversion(tmp_path: Path, seed: int) -> None:
    whole = segment(tmp_path, 20)
    chance, content = random.Random(seed), bytearray(whole.read_bytes())
    for _ in range(chance.randrange(1, 10)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    whole.write_bytes(content)

    convert.convert(whole)

    expected = [f"{number}-{each}" for number in range(20) for each in range(2)]
    assert ids(tmp_path) == expected[: len(ids(tmp_path))]


def test_a_segment_that_is_being_written_is_left_alone(tmp_path: Path) -> None:
    open_segment = Segment(tmp_path, "s", ABOUT)
    open_segment.append(frame(0))

    assert convert.convert(tmp_path / "s.journal") is None
    assert ids(tmp_path) == []

    open_segment.close()
    assert convert.convert(tmp_path / "s.journal") is None
    assert ids(tmp_path) == ["0-0", "0-1"]
    assert [file.name for file in tmp_path.iterdir()] == ["s.parquet"]


def test_a_segment_without_calls_becomes_no_file(tmp_path: Path) -> None:
    assert convert.convert(segment(tmp_path, 0)) is None
    assert list(tmp_path.iterdir()) == []


def test_a_conversion_killed_before_its_end_is_done_again_and_no_row_twice(tmp_path: Path) -> None:
    whole = segment(tmp_path, 2)
    content = whole.read_bytes()
    convert.convert(whole)
    whole.write_bytes(content)  # killed between the file's completion and the segment's removal
    (tmp_path / ".s.parquet.part").write_bytes(b"half")

    convert.convert(whole)

    assert ids(tmp_path) == ["0-0", "0-1", "1-0", "1-1"]
    assert not (tmp_path / ".s.parquet.part").exists()


@pytest.mark.parametrize("reference", REFERENCES, ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("result", [SCORE, Failure(kind=FailureKind.DEADLINE, message="late")])
def test_a_row_is_read_back_as_it_was_written(
    tmp_path: Path, reference: Reference | None, result: Score | Failure
) -> None:
    recorded = Recorded(
        call_id="c",
        at=datetime(2026, 1, 2, 3, 4, 5, 678_000, UTC),
        server_version="1.2.3",
        configuration_hash="abcd",
        sample=Sample(
            sample_id="s",
            reward="math",
            prompt="",
            completion="é\x00",
            reference=reference,
            group_id="g",
            metadata={"step": "3", "": ""},
        ),
        outcome=Outcome(
            sample_id="s", result=result, reward_version="1.0.0+ff", cached=True, queue_ms=0.5, grade_ms=1e-3
        ),
    )
    parquet.write(tmp_path / "f.parquet", [[recorded], [recorded]])

    assert list(parquet.read(tmp_path / "f.parquet")) == [recorded, recorded]
    assert stat.S_IMODE((tmp_path / "f.parquet").stat().st_mode) == 0o600


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16_383, 16_384, 300_000])
def test_one_message_is_wrapped_as_a_batch_of_one(size: int) -> None:
    sample = pb.Sample(completion="c" * size)
    (read,) = pb.ScoreRequest.FromString(as_batch(sample.SerializeToString())).samples

    assert read == sample


def test_what_is_recorded_is_in_parquet_after_the_end(tmp_path: Path) -> None:
    with open_recorder(tmp_path / "new", about=ABOUT, report=pytest.fail) as recorder:
        assert recorder is not None
        for number in range(50):
            recorder.add(request(number), response(number), rows=2)

    assert (recorder.recorded, recorder.dropped, recorder.waiting_bytes) == (100, 0, 0)
    assert ids(tmp_path / "new") == [f"{number}-{each}" for number in range(50) for each in range(2)]
    (row, *_) = parquet.read(next((tmp_path / "new").glob("*.parquet")))
    assert (row.server_version, row.configuration_hash) == ("1.2.3", "abcd")
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_disk_about_to_be_full_costs_recordings_which_are_counted_and_reported_once(tmp_path: Path) -> None:
    reports: list[tuple[str, dict[str, object]]] = []
    recorder = Recorder(
        tmp_path,
        about=ABOUT,
        report=lambda event, **fields: reports.append((event, fields)),
        min_free_bytes=1 << 60,
    )
    for number in range(10):
        recorder.add(request(number), response(number), rows=2)
    eventually(lambda: recorder.dropped == 20)
    recorder.add(request(10), response(10), rows=2)
    recorder.close()

    assert (recorder.recorded, recorder.dropped) == (0, 22)
    ((event, fields),) = reports
    assert event == "recording_incomplete"
    assert "MiB are free on the disk" in str(fields["reason"])
    assert list(tmp_path.iterdir()) == []


def test_a_disk_slower_than_grading_costs_recordings_and_not_memory(tmp_path: Path) -> None:
    reports: list[str] = []
    recorder = Recorder(
        tmp_path, about=ABOUT, report=lambda event, **_: reports.append(event), max_waiting_bytes=1
    )
    recorder.add(request(0), response(0), rows=2)
    recorder.close()

    assert (recorder.recorded, recorder.dropped, reports) == (0, 2, ["recording_incomplete"])


@pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")  # JAX warns once another test has imported it
def test_a_write_that_fails_half_way_leaves_a_segment_that_can_be_read(tmp_path: Path) -> None:
    pid = os.fork()
    if pid == 0:  # a limit of the size of files is for a whole process
        written = Segment(tmp_path, "s", ABOUT)
        written.append(frame(0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (written.bytes + 20, written.bytes + 20))
        try:
            written.append(frame(1))
        except OSError:
            os._exit(0)
        os._exit(1)

    assert os.waitpid(pid, 0)[1] == 0
    assert convert.convert(tmp_path / "s.journal") is None
    assert ids(tmp_path) == ["0-0", "0-1"]


def test_a_recorder_goes_on_when_the_disk_has_room_again(tmp_path: Path) -> None:
    free = [1 << 60]
    recorder = Recorder(tmp_path, about=ABOUT, report=lambda *_, **__: None, min_free_bytes=free[0])
    recorder.add(request(0), response(0), rows=2)
    eventually(lambda: recorder.dropped == 2)
    recorder._min_free_bytes = 0
    recorder.add(request(1), response(1), rows=2)
    recorder.close()

    assert ids(tmp_path) == ["1-0", "1-1"]


def test_a_directory_that_cannot_be_written_is_said_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with (
        pytest.raises(ConfigurationError, match=r"record=.*cannot be written"),
        open_recorder(tmp_path / "file", about=ABOUT, report=pytest.fail),
    ):
        pass


def test_the_converter_says_what_it_could_not_convert(tmp_path: Path) -> None:
    whole = segment(tmp_path, 1)
    (tmp_path / ".s.parquet.part").mkdir()

    command = (sys.executable, "-m", "reward_server.recording.convert", str(tmp_path))
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 1
    assert "waits" in ended.stderr
    assert whole.exists()


def test_frames_of_a_call_keep_samples_and_outcomes_together() -> None:
    (call,) = rows([Frame(about=ABOUT), frame(7)])

    assert [each.sample.sample_id for each in call] == [each.outcome.sample_id for each in call]
    assert {each.call_id for each in call} == {"call-7"}
