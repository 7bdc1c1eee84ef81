"""The decoder is the border to hostile code: what is honest comes through, all else is refused."""

import collections
import enum
import json
import math
import string
import time
from collections.abc import Hashable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.api import Raised, Unserializable, Value
from sandbox.codec import ForgedReportError, Loaded, LoadFailed, decode_report
from sandbox.image.encoder import MAX_DEPTH, MAX_INT_BITS, MAX_NODES, Encoder, NotPlainError, TooLargeError

CASES = Path(__file__).resolve().parents[2] / "cases" / "sandbox_forged_reports.jsonl"
FORGED = [json.loads(line) for line in CASES.read_text(encoding="utf-8").splitlines()]

atoms = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters())  # surrogates included
    | st.binary()
    | st.complex_numbers(allow_nan=False)
)
keys = atoms | st.tuples(atoms, atoms) | st.frozensets(atoms, max_size=3)
plain_data = st.recursive(
    atoms | st.sets(keys, max_size=3) | st.frozensets(keys, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=20,
)


def carry(value: object) -> object:
    """Encode as the child does, decode as the trusted side does."""
    text = f'["ok",[["v",{Encoder().encode(value)}]]]'
    report = decode_report(text.encode("utf-8", "surrogatepass"), 1)
    assert isinstance(report, Loaded)
    (result,) = report.results
    assert isinstance(result, Value)
    return result.data


def forged(value: str) -> bytes:
    return f'["ok",[["v",{value}]]]'.encode("ascii", "backslashreplace")


def shape(value: object) -> Hashable:
    """Types and content, so that 1, 1.0 and True, or a list and a tuple, differ; sets without order."""
    match value:
        case list() | tuple():
            return type(value), tuple(shape(item) for item in value)
        case set() | frozenset():
            return type(value), frozenset(shape(item) for item in value)
        case dict():
            return dict, tuple((shape(key), shape(item)) for key, item in value.items())
        case _:
            return type(value), repr(value)


@given(plain_data)
def test_plain_data_comes_out_as_it_went_in(value: object):
    assert shape(carry(value)) == shape(value)


@pytest.mark.parametrize(
    "value",
    [math.inf, -math.inf, -0.0, 5e-324, 2**13_999, -(2**13_999), "\ud800", "\ud800\udfff", "é", "\x00"],
)
def test_values_at_the_edges_come_through(value: object):
    assert repr(carry(value)) == repr(value)


def test_nan_comes_out_as_an_object_of_its_own():
    nan = math.nan

    carried = carry([nan, nan])

    assert isinstance(carried, list)
    assert [math.isnan(item) for item in carried] == [True, True]
    assert carried != [nan, nan]  # no identity shortcut


def test_subclasses_of_dict_and_named_tuples_become_their_base():
    class Point(NamedTuple):
        x: int
        y: int

    value = [
        collections.Counter("aab"),
        collections.defaultdict(list, k=[1]),
        collections.OrderedDict(a=1),
        Point(1, 2),
    ]

    assert shape(carry(value)) == shape([{"a": 2, "b": 1}, {"k": [1]}, {"a": 1}, (1, 2)])


class AlwaysEqual:
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = None  # type: ignore[assignment]


class EqualInt(int):
    def __eq__(self, other: object) -> bool:
        return True

    __hash__ = int.__hash__


@pytest.mark.parametrize(
    "value",
    [
        AlwaysEqual(),
        [AlwaysEqual()],
        {1: AlwaysEqual()},
        iter([]),
        range(3),
        {}.values(),
        memoryview(b""),
        len,
    ],
    ids=lambda value: type(value).__name__,
)
def test_anything_that_is_not_plain_data_is_not_encoded(value: object):
    with pytest.raises(NotPlainError):
        Encoder().encode(value)


class Colour(enum.StrEnum):
    RED = "red"


class Bag(set[int]):
    pass


class Raw(bytes):
    pass


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (EqualInt(7), 7),
        (enum.IntEnum("Number", {"ONE": 1})(1), 1),
        (Colour.RED, "red"),
        (type("Metres", (float,), {})(-0.0), -0.0),
        (type("Plane", (complex,), {})(1j), 1j),
        (Raw(b"xy"), b"xy"),
        (bytearray(b"xy"), b"xy"),
        (type("Stack", (list,), {})([1]), [1]),
        (type("Pair", (tuple,), {})((1, 2)), (1, 2)),
        (time.gmtime(0), (1970, 1, 1, 0, 0, 0, 3, 1, 0)),
        (Bag({1}), {1}),
        (type("Fixed", (frozenset,), {})({1}), frozenset({1})),
        ({"a": 1}.keys(), {"a"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_equals_plain_data_comes_out_as_that(value: object, plain: object):
    assert shape(carry(value)) == shape(plain)


def test_a_subclass_is_read_by_its_base_and_not_by_what_it_says():
    class Liar(int):
        def __pos__(self) -> int:
            return 3

        def __format__(self, spec: str) -> str:
            return '3"],["i","3'

        def bit_length(self) -> int:
            return 0

    class Forger(list[int]):
        def __iter__(self) -> Iterator[int]:
            return iter([3])

    assert carry([Liar(7), Forger([7])]) == [7, [7]]


def test_a_dict_that_lies_about_its_items_is_read_as_it_is():
    class Liar(dict[str, int]):
        def items(self) -> Any:
            return [("answer", 42)]

    assert carry(Liar(answer=1)) == {"answer": 1}


def test_values_that_contain_themselves_end_as_not_plain_or_too_large():
    narrow: list[object] = []
    narrow.append(narrow)
    wide: list[object] = []
    wide += [wide, wide]

    with pytest.raises(NotPlainError, match="nested deeper"):
        Encoder().encode(narrow)
    with pytest.raises((NotPlainError, TooLargeError)):
        Encoder().encode(wide)


def test_integers_longer_than_python_prints_are_not_plain_data():
    assert str(carry(2 ** (MAX_INT_BITS - 1)))

    with pytest.raises(NotPlainError, match="bits"):
        Encoder().encode(2**MAX_INT_BITS)


@pytest.mark.parametrize("case", FORGED, ids=lambda case: case["why"])
def test_forged_reports_are_refused(case: dict[str, Any]):
    with pytest.raises(ForgedReportError):
        decode_report(case["payload"].encode("utf-8"), case["calls"])


@given(st.binary(max_size=300), st.integers(0, 3))
def test_random_bytes_are_refused_and_nothing_else_happens(payload: bytes, calls: int):
    with pytest.raises(ForgedReportError):
        decode_report(payload, calls)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(string.printable)
    | st.sampled_from("nbifsycltSFdveu"),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=20,
)


@given(json_values)
def test_random_json_as_a_value_decodes_or_is_refused(value: object):
    try:
        report = decode_report(json.dumps(["ok", [["v", value]]]).encode("ascii"), 1)
    except ForgedReportError:
        return
    assert isinstance(report, Loaded)


@given(plain_data, st.data())
def test_a_report_cut_off_anywhere_is_refused(value: object, data: st.DataObject):
    payload = json.dumps(["ok", [["v", Encoder().encode(value)]]]).encode("ascii")
    cut = data.draw(st.integers(0, len(payload) - 1))

    with pytest.raises(ForgedReportError):
        decode_report(payload[:cut], 1)


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 2_000, 100_000])
def test_depth_is_bounded(depth: int):
    with pytest.raises(ForgedReportError):
        decode_report(forged('["l",' * depth + '["n"]' + "]" * depth), 1)


def test_the_number_of_values_is_bounded():
    with pytest.raises(ForgedReportError, match="values"):
        decode_report(forged('["l"' + ',["n"]' * MAX_NODES + "]"), 1)


@pytest.mark.parametrize("digits", ["1" + "0" * (MAX_INT_BITS // 4), "f" * 10_000_000])
def test_the_size_of_integers_is_bounded(digits: str):
    with pytest.raises(ForgedReportError):
        decode_report(forged(f'["i","{digits}"]'), 1)


def test_keys_crafted_to_collide_are_refused():
    modulus = 2**61 - 1  # equal hashes make insertion quadratic: sys.hash_info.modulus
    members = "".join(f',["i","{index * modulus:x}"]' for index in range(20_000))

    with pytest.raises(ForgedReportError, match="equal hashes"):
        decode_report(forged(f'["S"{members}]'), 1)


def test_names_and_messages_are_bounded_and_printable():
    payload = json.dumps(["ok", [["e", "E\x1b[31m\n", "m" * 5_000], ["u", "\ud800"]]]).encode("ascii")

    report = decode_report(payload, 2)

    assert report == Loaded((Raised("E\\x1b[31m\\n", "m" * 500), Unserializable("\\ud800")))


def test_a_load_error_names_its_part():
    report = decode_report(b'["load","setup","NameError","x"]', 3)

    assert report == LoadFailed("setup", Raised("NameError", "x"))
