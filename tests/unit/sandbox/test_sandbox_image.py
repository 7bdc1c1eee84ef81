"""The image: what goes into it, and its name."""

import io
import platform
import re
import tarfile
from collections.abc import Iterator
from typing import cast

import pytest

from sandbox import build, sources
from sandbox.api import SandboxError
from sandbox.docker import Engine


def test_the_dockerfile_copies_every_file_of_the_context():
    with tarfile.open(fileobj=io.BytesIO(sources.pack_context())) as archive:
        names = archive.getnames()
        dockerfile = archive.extractfile("Dockerfile")
        assert dockerfile is not None
        copied = re.findall(r"\w+\.py", dockerfile.read().decode())

    assert sorted(copied) == sorted(name for name in names if name != "Dockerfile")


def test_the_dockerfile_places_files_where_a_jail_has_them():
    lines = [
        line.split()[1:]
        for line in (sources.IMAGE_DIRECTORY / "Dockerfile").read_text().splitlines()
        if line.startswith("COPY ") and ".py" in line
    ]
    placed = {f"{target}{name}" for *names, target in lines for name in names}

    assert placed == {f"/opt/assay/{path}" for path in sources.placed_files()}


def test_files_in_the_image_are_for_root_alone():
    with tarfile.open(fileobj=io.BytesIO(sources.pack_context())) as archive:
        entries = archive.getmembers()

    assert {(entry.mode, entry.uid, entry.gid) for entry in entries} == {(0o600, 0, 0)}


def test_the_context_is_the_same_in_every_build():
    assert sources.pack_context() == sources.pack_context()


def test_the_name_of_the_image_changes_with_any_byte_that_goes_into_it(tmp_path, monkeypatch):
    files = {path.name: path.read_bytes() for path in sources.IMAGE_DIRECTORY.iterdir() if path.is_file()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    before = sources.image_tag()
    monkeypatch.setattr(sources, "IMAGE_DIRECTORY", tmp_path)

    same = sources.image_tag()
    (tmp_path / "child.py").write_bytes(files["child.py"] + b"\n")

    assert same == before
    assert sources.image_tag() != before


class FakeEngine:
    """An engine that holds some images and can pull none."""

    def __init__(self, *images: str) -> None:
        self.images = set(images)

    def has_image(self, tag: str) -> bool:
        return tag in self.images

    def build_image(self, tag: str, context: bytes, base: str) -> Iterator[str]:
        yield f"from {base}"
        if base not in self.images:
            raise SandboxError("no route to the registry")
        self.images.add(tag)


def debian_base() -> str:
    return f"{build.BASE_REPOSITORY}:{platform.freedesktop_os_release()['VERSION_CODENAME']}"


def test_without_a_registry_the_image_is_built_on_debian_packages():
    engine, said = FakeEngine(debian_base()), list[str]()

    tag = build.build_image(cast(Engine, engine), build.Base.AUTO, said.append)

    assert engine.has_image(tag)
    assert any("no route to the registry" in line for line in said)


def test_a_base_that_was_asked_for_is_not_replaced_by_another():
    engine = FakeEngine(debian_base())

    with pytest.raises(SandboxError, match="no route"):
        build.build_image(cast(Engine, engine), build.Base.REGISTRY, print)


def test_an_image_that_exists_is_not_built_again():
    engine, said = FakeEngine(sources.image_tag()), list[str]()

    tag = build.build_image(cast(Engine, engine), build.Base.AUTO, said.append)

    assert said == [f"image {tag} exists already"]
