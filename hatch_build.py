"""Generates the protobuf stubs beside the .proto files: in wheels, in editable installs, and by hand.

The stubs are build products: ignored by git, made from `proto/reward/v1/reward.proto`.
"""

import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
PROTO_ROOT = ROOT / "proto"


def generate() -> None:
    """Write `*_pb2.py`, `*_pb2.pyi` and `*_pb2_grpc.py` beside every .proto file.

    Raises:
        SystemExit: protoc refused a file; it has printed why.
    """
    from grpc_tools import protoc  # noqa: PLC0415  (a build requirement, not a run-time one)

    protos = sorted(str(path) for path in PROTO_ROOT.rglob("*.proto"))
    arguments = ["protoc", f"-I{PROTO_ROOT}"]
    arguments += [f"--{kind}_out={PROTO_ROOT}" for kind in ("python", "pyi", "grpc_python")]
    if protoc.main(arguments + protos) != 0:
        sys.exit("protoc failed; its messages are above")


try:
    from hatchling.builders.hooks.plugin.interface import BuildHookInterface
except ImportError:  # run by hand, outside a build
    pass
else:

    class StubsHook(BuildHookInterface[Any]):
        """Runs `generate` before hatchling collects files, and adds the stubs to the wheel."""

        def initialize(self, version: str, build_data: dict[str, Any]) -> None:
            generate()
            build_data["artifacts"] += ["proto/reward/v1/*_pb2*.py", "proto/reward/v1/*.pyi"]


if __name__ == "__main__":
    generate()
