"""What runs inside a container: the files of `sandbox/image`, and the name of the image made of them.

The image's tag is the hash of what goes into it, so a stale image is never used.
"""

import hashlib
import tarfile
from io import BytesIO
from pathlib import Path

REPOSITORY = "assay-sandbox"
IMAGE_DIRECTORY = Path(__file__).resolve().parent / "image"
ENTRY_POINT = "__main__.py"


def image_tag() -> str:
    """Name the image that belongs to the files of this checkout."""
    digest = hashlib.sha256()
    for path in _files():
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


def pack_context() -> bytes:
    """Pack the files, readable by the container's root alone and with equal times in every build."""
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in _files():
            entry = tarfile.TarInfo(path.name)
            entry.mode = 0o600
            entry.size = path.stat().st_size
            archive.addfile(entry, BytesIO(path.read_bytes()))
    return buffer.getvalue()


def placed_files() -> dict[str, bytes]:
    """Read the Python files: path below the supervisor's directory, as in the Dockerfile -> content."""
    return {
        path.name if path.name == ENTRY_POINT else f"sandbox/image/{path.name}": path.read_bytes()
        for path in _files()
        if path.suffix == ".py"
    }


def _files() -> list[Path]:
    return sorted(
        path for path in IMAGE_DIRECTORY.iterdir() if path.suffix == ".py" or path.name == "Dockerfile"
    )
