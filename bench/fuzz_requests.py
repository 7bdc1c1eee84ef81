"""Malformed and odd requests, the n-th of a seed always the same. Pure: bytes out, nothing sent.

Each kind below is a function of a generator of random numbers and the caller's marker; the
marker is in every text that the caller sends, so that an answer with another's is a leak.
"""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from reward.v1 import reward_pb2 as pb

REWARDS = ("math", "choice", "boolean", "summary", "writing", "ideation")
_ODD = (
    "",
    "\x00",
    "\ud7ff",
    "\U0010ffff",
    "\u202e",
    "a" * 70_000,
    "\\frac{" * 300,
    "(" * 3_000,
    "9" * 5_000,
    "NaN",
    "-0",
    "1e999",
)
_TAGS = ("<reasoning>", "</reasoning>", "<answer>", "</answer>")

Make = Callable[[Random, str], bytes]


def text(chance: Random, marker: str) -> str:
    """A text of no particular sense, with the marker in it."""
    parts = [
        chance.choice((*_ODD, *_TAGS, "42", "B", "yes", "x^2", "The cat sat. "))
        for _ in range(chance.randrange(4))
    ]
    return marker + " ".join(parts)


def answered(chance: Random, marker: str) -> str:
    """A completion whose gate is open, mostly."""
    if chance.random() < 0.2:
        return text(chance, marker)
    return f"<reasoning>{marker}</reasoning><answer>{text(chance, marker)}</answer>"


def sample(chance: Random, marker: str, number: int) -> pb.Sample:
    """A valid sample of any reward with any reference, the right one half of the time."""
    reward = chance.choice((*REWARDS, *REWARDS, marker))
    made = pb.Sample(
        sample_id=f"{marker}{number}",
        reward=reward,
        prompt=text(chance, marker),
        completion=answered(chance, marker),
        group_id=chance.choice(("", marker)),
    )
    kind = {"summary": "text", "writing": "text", "ideation": "text"}.get(reward, reward)
    if chance.random() < 0.3:
        kind = chance.choice(("math", "code", "choice", "boolean", "text", "none"))
    match kind:
        case "math":
            made.math.answer = text(chance, marker)
        case "code":
            made.code.tests.extend(text(chance, marker) for _ in range(chance.randrange(4)))
            made.code.reference_cpu_ms = chance.choice((float("nan"), -1.0, 1e308))
        case "choice":
            labels = chance.choice((["A", "B"], ["A", "A"], [], [marker, ""]))
            made.choice.labels.extend(labels)
            made.choice.texts.extend(text(chance, marker) for _ in range(chance.randrange(4)))
            made.choice.correct_label = chance.choice(("A", "Z", ""))
        case "boolean":
            made.boolean.value = chance.random() < 0.5
        case "text":
            made.text.reference = text(chance, marker)
            made.text.source = text(chance, marker)
        case _:
            pass
    for _ in range(chance.randrange(3)):
        made.metadata[text(chance, marker)] = text(chance, marker)
    return made


def odd(chance: Random, marker: str) -> bytes:
    """A valid batch of odd samples."""
    samples = [sample(chance, marker, number) for number in range(chance.randrange(1, 4))]
    return pb.ScoreRequest(samples=samples).SerializeToString()


def flipped(chance: Random, marker: str) -> bytes:
    """A valid batch with a few bits flipped."""
    data = bytearray(odd(chance, marker))
    for _ in range(chance.randrange(1, 9)):
        data[chance.randrange(min(len(data), 400))] ^= 1 << chance.randrange(8)
    return bytes(data)


def truncated(chance: Random, marker: str) -> bytes:
    """A valid batch without its end."""
    data = odd(chance, marker)
    return data[: chance.randrange(len(data))]


def noise(chance: Random, marker: str) -> bytes:
    """Bytes."""
    return chance.randbytes(chance.randrange(200))


def wrong_types(chance: Random, marker: str) -> bytes:
    """Fields of a sample under other wire types, and fields that no sample has."""
    fields = b"".join(
        _field(chance, chance.choice((1, 2, 3, 4, 5, 9, 10, 11, 99, 536_870_911))) for _ in range(8)
    )
    return delimited(1, delimited(1, marker.encode()) + fields)


def no_utf8(chance: Random, marker: str) -> bytes:
    """A sample one of whose texts is no UTF-8."""
    place = chance.choice((1, 2, 3, 4, 10))
    return delimited(1, delimited(1, marker.encode()) + delimited(place, b"\xff\xfe" + marker.encode()))


def repeated(chance: Random, marker: str) -> bytes:
    """Ids that are empty, or repeated, or very long."""
    long = marker * chance.choice((1, 1, 1, 10_000))
    ids = chance.choice(([long, long], [""], [marker, "", marker], []))
    return pb.ScoreRequest(samples=[pb.Sample(sample_id=each) for each in ids]).SerializeToString()


def empty_oneof(chance: Random, marker: str) -> bytes:
    """References that are set and hold nothing, several of them in one sample."""
    references = b"".join(delimited(chance.choice((5, 6, 7, 8, 9)), b"") for _ in range(3))
    named = delimited(1, marker.encode()) + delimited(2, chance.choice((*REWARDS, "code")).encode())
    return delimited(1, named + delimited(4, answered(chance, marker).encode()) + references)


def nested(chance: Random, marker: str) -> bytes:
    """An unknown field nested a thousand deep, as groups or as messages."""
    if chance.random() < 0.5:
        return delimited(1, delimited(1, marker.encode()) + b"\xa3\x06" * 1_000 + b"\xa4\x06" * 1_000)
    inner = b""
    for _ in range(1_000):
        inner = delimited(1, inner)
    return inner


def large(chance: Random, marker: str) -> bytes:
    """A huge map, a very long text, or very many samples."""
    match chance.randrange(4):
        case 0:
            made = pb.Sample(
                sample_id=marker,
                reward="boolean",
                metadata={f"{marker}{each}": "v" for each in range(20_000)},
            )
            return pb.ScoreRequest(samples=[made]).SerializeToString()
        case 1:
            made = pb.Sample(sample_id=marker, reward="choice", completion=marker + "x" * 300_000)
            return pb.ScoreRequest(samples=[made]).SerializeToString()
        case 2:
            ids = (pb.Sample(sample_id=f"{marker}{each}") for each in range(chance.choice((8_192, 8_193))))
            return pb.ScoreRequest(samples=ids).SerializeToString()
        case _:
            return delimited(1, delimited(1, marker.encode() * 100_000))


# Kind -> how often, and how it is made. Large ones are rare: they take most of the time.
KINDS: Mapping[str, tuple[float, Make]] = MappingProxyType(
    {
        "odd": (20, odd),
        "flipped": (20, flipped),
        "truncated": (12, truncated),
        "noise": (10, noise),
        "wrong types": (10, wrong_types),
        "no UTF-8": (8, no_utf8),
        "repeated ids": (8, repeated),
        "empty oneof": (8, empty_oneof),
        "nested": (4, nested),
        "large": (0.1, large),
    }
)


def request(seed: int, number: int, marker: str) -> tuple[str, bytes]:
    """Return the kind and the bytes of a seed's n-th request."""
    chance = Random(f"{seed}:{number}")
    (kind,) = chance.choices(list(KINDS), [weight for weight, _ in KINDS.values()])
    return kind, KINDS[kind][1](chance, marker)


def delimited(field: int, data: bytes) -> bytes:
    """A length-delimited field of protobuf."""
    return varint(field << 3 | 2) + varint(len(data)) + data


def varint(number: int) -> bytes:
    """A number in protobuf's base 128."""
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*made, number))


def _field(chance: Random, field: int) -> bytes:
    match chance.randrange(5):
        case 0:
            return varint(field << 3) + varint(chance.getrandbits(64))
        case 1:
            return varint(field << 3 | 1) + chance.randbytes(8)
        case 2:
            return varint(field << 3 | 5) + chance.randbytes(4)
        case 3:
            return varint(field << 3 | chance.choice((3, 4, 6, 7)))
        case _:
            return delimited(field, chance.randbytes(chance.randrange(30)))
