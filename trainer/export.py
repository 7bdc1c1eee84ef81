"""`python -m trainer.export`: a finished run as files that other tools load.

<out>/merged/   the whole model in the hub's form: transformers, vLLM
<out>/lora/     the adapters in PEFT's form, over the base they name
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tyro


@dataclass(frozen=True, kw_only=True, slots=True)
class ExportConfig:
    run: Path = Path("runs/latest")
    """Directory of a finished run."""
    out: Path | None = None
    """Where to write; unset: `export` in the run."""
    dtype: Literal["float32", "bfloat16"] = "bfloat16"
    """Type of the merged weights; bfloat16 rounds what training changed (docs/model.md)."""
    shard_gb: float = 5.0
    """Largest file of merged weights, in GB."""


def export(config: ExportConfig) -> Path:
    """Writes both forms and returns the directory they are in.

    Raises:
        policy.errors.PolicyError: not a finished run, or its base cannot be read.
    """
    import numpy as np  # noqa: PLC0415 - after the arguments are checked

    from policy.checkpoint import DTYPES, PolicyRecord  # noqa: PLC0415
    from policy.export import write_adapters, write_merged  # noqa: PLC0415

    record = PolicyRecord.read(config.run)
    base, lora = record.base_dir(config.run), config.run / "lora"
    out = config.out or config.run / "export"
    write_merged(
        base=base,
        lora=lora,
        out=out / "merged",
        dtype=np.dtype(DTYPES[config.dtype]),
        shard_bytes=int(config.shard_gb * 1e9),
    )
    # A tiny base lies in the run, under a name that means nothing to PEFT.
    in_run = not Path(record.base).is_absolute()
    write_adapters(lora=lora, out=out / "lora", base=str(base.resolve()) if in_run else None)
    return out


def main() -> int:
    """Runs the command and returns its exit status."""
    config = tyro.cli(ExportConfig, prog="python -m trainer.export")
    from policy.errors import PolicyError  # noqa: PLC0415 - after the arguments are checked

    try:
        print(export(config))  # noqa: T201 - the result of the command
    except PolicyError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
