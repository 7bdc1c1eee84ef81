"""What TensorBoard itself reads out of the event files of a run."""

from collections.abc import Mapping
from pathlib import Path

from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

_EVERYTHING = {"scalars": 0, "tensors": 0}


def _read(run: Path) -> EventAccumulator:
    # Nothing purged: a point that is there twice is to be seen twice.
    accumulator = EventAccumulator(
        str(run / "tensorboard"), size_guidance=_EVERYTHING, purge_orphaned_data=False
    )
    return accumulator.Reload()


def scalars(run: Path) -> Mapping[str, list[tuple[int, float]]]:
    """(step, value) of every curve, in the order of the file."""
    accumulator = _read(run)
    return {
        tag: [(event.step, event.value) for event in accumulator.Scalars(tag)]
        for tag in accumulator.Tags()["scalars"]
    }


def texts(run: Path) -> Mapping[str, list[tuple[int, str]]]:
    """(step, Markdown) of every sample of text."""
    accumulator = _read(run)
    return {
        tag: [(event.step, event.tensor_proto.string_val[0].decode()) for event in accumulator.Tensors(tag)]
        for tag in accumulator.Tags()["tensors"]
    }
