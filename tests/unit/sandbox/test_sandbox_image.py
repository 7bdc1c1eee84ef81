"""The image: what goes into it, and its name."""

import io
import re
import tarfile

from sandbox import build


def test_the_dockerfile_copies_every_file_of_the_context():
    with tarfile.open(fileobj=io.BytesIO(build.pack_context())) as archive:
        names = archive.getnames()
        dockerfile = archive.extractfile("Dockerfile")
        assert dockerfile is not None
        copied = re.findall(r"\w+\.py", dockerfile.read().decode())

    assert sorted(copied) == sorted(name for name in names if name != "Dockerfile")


def test_files_in_the_image_are_for_root_alone():
    with tarfile.open(fileobj=io.BytesIO(build.pack_context())) as archive:
        entries = archive.getmembers()

    assert {(entry.mode, entry.uid, entry.gid) for entry in entries} == {(0o600, 0, 0)}


def test_the_context_is_the_same_in_every_build():
    assert build.pack_context() == build.pack_context()


def test_the_name_of_the_image_changes_with_any_byte_that_goes_into_it(tmp_path, monkeypatch):
    files = {path.name: path.read_bytes() for path in build.IMAGE_DIRECTORY.iterdir() if path.is_file()}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    before = build.image_tag()
    monkeypatch.setattr(build, "IMAGE_DIRECTORY", tmp_path)

    same = build.image_tag()
    (tmp_path / "child.py").write_bytes(files["child.py"] + b"\n")

    assert same == before
    assert build.image_tag() != before
