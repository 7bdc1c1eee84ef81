"""The bytes of a score that is kept on disk; pure, and distrustful when it reads.

    record = checksum(16) | JSON [value, components, verdict, explanation]

The checksum covers the key, so a record under another key is none. What does not have
exactly this form, or holds what no score may hold, is read as absent: a damaged file
costs a cache hit, never a wrong score.
"""

import hashlib
import json
from typing import cast

from reward_server.api import Score, Verdict
from reward_server.cache.memory import Key, may_keep

CHECKSUM_BYTES = 16
# A score is a few numbers and a sentence; longer ones are not worth their room.
MAX_RECORD_BYTES = 16 * 1024
_MAX_COMPONENTS = 256


def encode(key: Key, score: Score) -> bytes | None:
    """Write a score, or return None for one too large to keep."""
    components = {name: float(value) for name, value in score.components.items()}
    parts = [float(score.value), components, score.verdict.value, score.explanation]
    body = json.dumps(parts, separators=(",", ":")).encode("ascii")  # lone surrogates are escaped
    if CHECKSUM_BYTES + len(body) > MAX_RECORD_BYTES:
        return None
    return _checksum(key, body) + body


def decode(key: Key, record: bytes) -> Score | None:
    """Read a score, or return None for bytes that are no record of this key."""
    body = record[CHECKSUM_BYTES:]
    if len(record) > MAX_RECORD_BYTES or record[:CHECKSUM_BYTES] != _checksum(key, body):
        return None
    try:
        parts: object = json.loads(body)
    except (ValueError, RecursionError):  # ValueError: no JSON, or no UTF-8
        return None
    return _score(cast("list[object]", parts)) if isinstance(parts, list) else None


def _checksum(key: Key, body: bytes) -> bytes:
    return hashlib.blake2b(body, key=key, digest_size=CHECKSUM_BYTES).digest()


def _score(parts: list[object]) -> Score | None:
    match parts:
        case [float(value), components, str(verdict), str(explanation)] if _in_range(value):
            named = _components(components)
            known = Verdict.__members__.get(verdict)
            if named is None or known is None or not may_keep(known):
                return None
            return Score(value=value, components=named, verdict=known, explanation=explanation)
        case _:
            return None


def _components(found: object) -> dict[str, float] | None:
    if not isinstance(found, dict) or len(pairs := cast("dict[str, object]", found)) > _MAX_COMPONENTS:
        return None
    numbers = {name: value for name, value in pairs.items() if isinstance(value, float) and _in_range(value)}
    return numbers if len(numbers) == len(pairs) else None


def _in_range(value: float) -> bool:
    return 0.0 <= value <= 1.0  # false for NaN
