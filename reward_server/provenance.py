"""What a reward was made of: a hash over the source files that can change its scores.

The files are those of the reward's own module or package, and what they import from the
same distribution, followed to the end. Libraries are pinned elsewhere and not hashed.
"""

import ast
import hashlib
import importlib.util
from collections.abc import Iterable, Iterator
from pathlib import Path


def source_hash(modules: Iterable[str], configuration: str) -> str:
    """Hash the sources of `modules`, of what they import alongside, and `configuration`; 8 hex digits."""
    digest = hashlib.sha256(configuration.encode())
    for name, path in sorted(_closure(modules).items()):
        source = path.read_bytes()
        digest.update(f"{name}:{len(source)}:".encode())
        digest.update(source)
    return digest.hexdigest()[:8]


def _closure(modules: Iterable[str]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    open_names = [file for module in modules for file in _own_files(module)]
    while open_names:
        name, path = open_names.pop()
        if name in found:
            continue
        found[name] = path
        top = name.partition(".")[0]
        inside = (imported for imported in _imports(path) if imported.partition(".")[0] == top)
        open_names += [(imported, file) for imported in inside if (file := _file_of(imported)) is not None]
    return found


def _own_files(module: str) -> Iterator[tuple[str, Path]]:
    """Yield a module, or all modules of a package: workers load some of them by name."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return
    yield module, Path(spec.origin)
    for location in spec.submodule_search_locations or ():
        for path in sorted(Path(location).rglob("*.py")):
            parts = path.relative_to(location).with_suffix("").parts
            if parts != ("__init__",):
                yield ".".join((module, *parts)), path


def _imports(path: Path) -> Iterator[str]:
    """Yield the absolute names a file imports; `from a import b` may name the module a.b."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file_of(module: str) -> Path | None:
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:  # `from a import b` where a is a module and b a name in it
        return None
    if spec is None or spec.origin is None or not spec.origin.endswith(".py"):
        return None
    return Path(spec.origin)
