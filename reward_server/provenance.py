"""What a reward was made of: a hash over the source files that can change its scores.

The files are the reward's own module and what it imports below the same top-level
package, followed to the end. A string "module:function" counts as an import: that is how
worker processes are told what to load. Libraries are pinned elsewhere and not hashed.
Nothing is imported for it: what is heavy is loaded in workers only. Nor is anything parsed, as every
start of a server would wait for it: whatever reads like an import counts as one, in a text too.
"""

import hashlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

_SPACE = r"(?:[ \t]|\\\n)"  # a backslash continues the line
_IMPORT = re.compile(
    rf"(?:^|[;:]){_SPACE}*(?:import{_SPACE}+(?P<names>(?:\\\n|[^\n;#])+)"
    rf"|from{_SPACE}+(?P<module>[\w.]+){_SPACE}+import{_SPACE}*"
    r"(?P<members>\((?:[^)#]|#[^\n]*)*\)|(?:\\\n|[^\n;#])+))",
    re.MULTILINE,
)
_TASK = re.compile(r"""["']([\w.]+):\w+["']""")


def source_hash(modules: Iterable[str], configuration: str) -> str:
    """Hash the sources of `modules`, of what they import alongside, and `configuration`; 8 hex digits."""
    digest = hashlib.sha256(configuration.encode())
    for name, path in sorted(sources(modules).items()):
        source = path.read_bytes()
        digest.update(f"{name}:{len(source)}:".encode())
        digest.update(source)
    return digest.hexdigest()[:8]


def sources(modules: Iterable[str]) -> dict[str, Path]:
    """Return the files behind `modules` and what they import alongside, by module name."""
    found: dict[str, Path] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        path = None if name in found else _file_of(name)
        if path is None:
            continue
        found[name] = path
        top = name.partition(".")[0]
        waiting += (
            imported
            for imported in imports(path.read_text("utf-8", "replace"))
            if imported.partition(".")[0] == top
        )
    return found


def imports(source: str) -> Iterator[str]:
    """Yield the absolute names a source imports; `from a import b` may name the module a.b."""
    for found in _IMPORT.finditer(source):
        if found["names"]:
            yield from re.findall(r"[\w.]+", found["names"])
        else:
            yield found["module"]
            yield from (f"{found['module']}.{member}" for member in re.findall(r"\w+", found["members"]))
    yield from _TASK.findall(source)


def _file_of(module: str) -> Path | None:
    """Return the file of a module, or None for a name inside one; imports nothing."""
    top, *below = module.split(".")
    spec = importlib.util.find_spec(top)
    if spec is None or spec.origin is None:
        return None
    base = Path(spec.origin).parent.joinpath(*below) if below else Path(spec.origin)
    candidates = (base.with_suffix(".py"), base / "__init__.py")
    return next((candidate for candidate in candidates if candidate.is_file()), None)
