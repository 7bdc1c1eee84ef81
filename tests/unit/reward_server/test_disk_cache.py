"""Scores on disk: found again, bounded, and never wrong, whatever has become of the file."""

import multiprocessing
import random
import resource
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reward_server.api import Score, Verdict
from reward_server.cache.disk import DiskCache, open_disk_cache
from reward_server.cache.memory import ScoreCache

ROOM = 64 * 1024 * 1024
SALT = b"s" * 16


def key(number: int) -> bytes:
    return random.Random(number).randbytes(16)


def score(number: int) -> Score:
    return Score(
        value=number % 1001 / 1000,
        components={"format": 1.0, "correctness": 0.5},
        verdict=Verdict.PARTIAL,
        explanation=f"score {number}, " + "ä" * 100,
    )


def fill(directory: Path, count: int, *, room: int = ROOM, salt: bytes = SALT) -> None:
    with open_disk_cache(directory, room=room, salt=salt, report=pytest.fail) as cache:
        assert cache is not None
        for number in range(count):
            cache.put(key(number), score(number))


def found(directory: Path, count: int, *, salt: bytes = SALT, report: Callable[[str], None]) -> int:
    """How many scores are found; each is the right one."""
    with open_disk_cache(directory, room=ROOM, salt=salt, report=report) as cache:
        assert cache is not None
        scores = [cache.get(key(number)) for number in range(count)]
    assert all(each is None or each == score(number) for number, each in enumerate(scores))
    return sum(each is not None for each in scores)


def test_scores_are_found_by_the_next_process(tmp_path: Path) -> None:
    fill(tmp_path, 500)

    assert found(tmp_path, 500, report=pytest.fail) == 500
    assert found(tmp_path, 600, report=pytest.fail) == 500


def test_what_was_kept_under_other_surroundings_is_not_found(tmp_path: Path) -> None:
    fill(tmp_path, 10)

    assert found(tmp_path, 10, salt=b"t" * 16, report=pytest.fail) == 0


def test_the_cache_in_memory_asks_below_once_and_keeps_what_it_got(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    with open_disk_cache(tmp_path, room=ROOM, salt=SALT, report=pytest.fail) as below:
        cache = ScoreCache(10, below)

        assert [cache.get(key(number)) for number in (0, 0, 1)] == [score(0), score(0), None]
        assert (cache.hits, cache.stored_hits, cache.misses) == (1, 1, 1)
        assert below is not None
        assert (below.hits, below.misses) == (1, 1)


def test_room_is_bounded_and_the_oldest_scores_are_forgotten(tmp_path: Path) -> None:
    count = 20_000  # of about 6 KB: more than the room has
    with open_disk_cache(tmp_path, room=ROOM, salt=SALT, report=pytest.fail) as cache:
        assert cache is not None
        for number in range(count):
            cache.put(key(number), replace(score(number), explanation="x" * 6_000))
        assert cache.dropped == 0

    assert (tmp_path / "scores" / "data.mdb").stat().st_size <= ROOM
    with open_disk_cache(tmp_path, room=ROOM, salt=SALT, report=pytest.fail) as cache:
        assert cache is not None
        kept = [number for number in range(count) if cache.get(key(number)) is not None]
    assert kept == list(range(kept[0], count)), "only the oldest are missing"
    assert ROOM / 4 < len(kept) * 6_000 < ROOM


def test_putting_never_waits_for_the_disk_but_drops(tmp_path: Path) -> None:
    with open_disk_cache(tmp_path, room=4 * ROOM, salt=SALT, report=pytest.fail) as cache:
        assert cache is not None
        for number in range(60_000):
            cache.put(number.to_bytes(16), score(number))
        dropped = cache.dropped
    assert dropped + cache.writes == 60_000


@pytest.mark.parametrize("seed", range(60))
def test_a_damaged_file_is_never_a_wrong_score(tmp_path: Path, seed: int) -> None:
    fill(tmp_path, 200)
    data = tmp_path / "scores" / "data.mdb"
    content = bytearray(data.read_bytes())
    chance = random.Random(seed)
    match seed % 4:
        case 0:
            content = content[: chance.randrange(len(content))]
        case 1:
            for _ in range(chance.randrange(1, 200)):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        case 2:
            start = chance.randrange(len(content))
            content[start : start + 5_000] = chance.randbytes(5_000)
        case _:
            content = bytearray(chance.randbytes(chance.randrange(100_000)))
    data.write_bytes(content)
    reports: list[str] = []

    assert found(tmp_path, 200, report=reports.append) <= 200
    fill(tmp_path, 10)
    assert found(tmp_path, 10, report=pytest.fail) == 10


def test_a_truncated_file_is_set_aside_and_reported(tmp_path: Path) -> None:
    fill(tmp_path, 2_000)
    data = tmp_path / "scores" / "data.mdb"
    with data.open("r+b") as file:
        file.truncate(data.stat().st_size // 2)
    reports: list[str] = []

    assert found(tmp_path, 2_000, report=reports.append) == 0
    assert [report.split(":")[0].endswith("the cache starts empty") for report in reports] == [True]
    assert (tmp_path / "scores" / "data.damaged").exists()


def test_a_directory_that_cannot_be_made_is_reported_and_done_without(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    reports: list[str] = []

    with open_disk_cache(tmp_path / "file", room=ROOM, salt=SALT, report=reports.append) as cache:
        assert cache is None
    assert "no cache on disk" in reports[0]


def test_a_directory_that_others_may_write_to_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "scores").mkdir(mode=0o700)
    (tmp_path / "scores").chmod(0o777)
    reports: list[str] = []

    with open_disk_cache(tmp_path, room=ROOM, salt=SALT, report=reports.append) as cache:
        assert cache is None
    assert "can be written by others" in reports[0]


def test_an_error_of_the_server_passes_through(tmp_path: Path) -> None:
    with (
        pytest.raises(OSError, match="of the server"),
        open_disk_cache(tmp_path, room=ROOM, salt=SALT, report=pytest.fail),
    ):
        raise OSError("of the server")


def _write_on_a_full_disk(directory: Path, answers: "multiprocessing.Queue[object]") -> None:
    reports: list[str] = []
    with open_disk_cache(directory, room=ROOM, salt=SALT, report=reports.append) as cache:
        assert cache is not None
        for number in range(100):
            cache.put(key(number), score(number))
        _wait_for(lambda: cache.writes == 100)
        # From here on the file cannot grow, as on a full disk.
        size = (directory / "scores" / "data.mdb").stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        for number in range(100, 3_000):
            cache.put(key(number), score(number))
        _wait_for(lambda: cache.dropped > 0)
        answers.put((len(reports), [cache.get(key(number)) for number in range(100)]))


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_full_disk_costs_new_scores_and_one_report(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[tuple[int, list[Score | None]]] = context.Queue()
    child = context.Process(target=_write_on_a_full_disk, args=(tmp_path, answers))
    child.start()
    reported, scores = answers.get(timeout=60)
    child.join(60)

    assert child.exitcode == 0
    assert reported == 1
    assert scores == [score(number) for number in range(100)]


def _read_beside(directory: Path, answers: "multiprocessing.Queue[object]") -> None:
    answers.put(found(directory, 100, report=pytest.fail))


def test_servers_share_a_directory_while_they_run(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    answers: multiprocessing.Queue[int] = context.Queue()
    with open_disk_cache(tmp_path, room=ROOM, salt=SALT, report=pytest.fail) as cache:
        assert isinstance(cache, DiskCache)
        for number in range(100):
            cache.put(key(number), score(number))
        _wait_for(lambda: cache.writes == 100)
        child = context.Process(target=_read_beside, args=(tmp_path, answers))
        child.start()
        assert answers.get(timeout=60) == 100
        child.join(60)
        assert cache.get(key(5)) == score(5)
