"""Which rows an evaluation asks: those of the run that is evaluated, unless told otherwise."""

from pathlib import Path
from typing import Any

import yaml

from evals.errors import CheckpointError
from tasks.hub import Hub
from tasks.sources import Directory, Source, embedded

CONFIG_FILE = "config.yaml"


def source_of(checkpoint: Path | None, data_dir: Path | None) -> Source:
    """Return `data_dir`, else the source that the run at `checkpoint` was trained on, else the samples here.

    Raises:
        CheckpointError: the run's configuration cannot be read, or names a directory that is gone.
    """
    if data_dir is not None:
        return Directory(data_dir)
    if checkpoint is None or not (path := checkpoint / CONFIG_FILE).is_file():
        return embedded()
    try:
        config: Any = yaml.safe_load(path.read_text(encoding="utf-8"))
        directory, source = config.get("data_dir"), config["data"]["source"]  # what is unset is not written
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(
            f"{path} does not say which data the run was trained on ({error!r}); pass --data-dir"
        ) from error
    if directory is None:
        return Hub() if source == "hub" else embedded()
    if not Path(directory).is_dir():
        raise CheckpointError(f"the run was trained on {directory}, which is gone; pass --data-dir")
    return Directory(Path(directory))
