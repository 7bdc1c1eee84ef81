"""One of two processes that train one model together: `python two_processes.py RANK PORT DIRECTORY`.

Each has one CPU device and half of every weight; what it did is written to `DIRECTORY/RANK.json`.
"""

import json
import os
import sys
from pathlib import Path

os.environ["JAX_PLATFORMS"] = "cpu"

import jax

from policy.gemma import make_mesh
from tests.unit.policy import short_training


def main(rank: int, port: int, directory: Path) -> None:
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    jax.distributed.initialize(f"127.0.0.1:{port}", num_processes=2, process_id=rank)
    own = directory / str(rank)
    own.mkdir()
    ran = short_training.train(
        own,
        steps=short_training.STEPS,
        mesh=make_mesh(fsdp=2, tp=1),
        checkpoints=directory / "checkpoints",
    )
    told = {"numbers": ran.numbers, "sampled": ran.sampled, "devices": jax.device_count()}
    (directory / f"{rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
