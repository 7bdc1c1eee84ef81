"""What Weights & Biases wrote offline, which its own `wandb sync` would send."""

import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_BLOCK = 32768
_HEADER = struct.Struct(
    "<IHB"
)  # checksum, length, kind: LevelDB's log format, behind seven bytes of the file's
_FULL, _FIRST, _MIDDLE, _LAST = 1, 2, 3, 4


def history(run: Path) -> list[dict[str, Any]]:
    """Rows of all offline sessions of a run directory, oldest session first, with their `step`."""
    from wandb.proto import wandb_internal_pb2 as messages

    rows: list[dict[str, Any]] = []
    for path in sorted((run / "wandb").glob("offline-run-*/*.wandb")):
        for payload in _payloads(path.read_bytes()):
            record = messages.Record()
            record.ParseFromString(payload)
            if record.WhichOneof("record_type") == "history":
                values = {
                    item.key or ".".join(item.nested_key): json.loads(item.value_json)
                    for item in record.history.item
                }
                rows.append({"step": record.history.step.num, **values})
    return rows


def _payloads(data: bytes) -> Iterator[bytes]:
    at, parts = 7, b""
    while at + _HEADER.size <= len(data):
        left = _BLOCK - at % _BLOCK
        if left < _HEADER.size:
            at += left
            continue
        _, length, kind = _HEADER.unpack_from(data, at)
        if not kind:
            return
        at += _HEADER.size
        part, at = data[at : at + length], at + length
        parts = part if kind in (_FULL, _FIRST) else parts + part
        if kind in (_FULL, _LAST):
            yield parts
