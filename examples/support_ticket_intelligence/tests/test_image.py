"""Knows that an image depends on its content alone, and says what a machine lacks for making one."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from conftest import EXAMPLE
from image.archive import Configuration, write_archive
from image.debian import BaseError, base_layer
from image.layer import Layer

CONFIGURATION = Configuration(user="1034:1034", folder="/app", entrypoint=["/app/run.sh"], environment={"A": "1"}, port=3000)


def context(folder: Path, names: list[str], at: float) -> Path:
    """The same files, written in another order, at another time, with other modes."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text(f"content of {name}\n")
        path.chmod(0o700 if name.endswith(".sh") else 0o600)
        os.utime(path, (at, at))
    (folder / "latest").symlink_to("models/a")
    return folder


def archived(folder: Path, output: Path) -> str:
    layer = Layer()
    layer.tree(folder, "app")
    return write_archive(output, "registry.example.com/ml/app:1.0.0", {"files": layer.blob()}, CONFIGURATION)


def test_two_builds_of_the_same_files_are_the_same_bytes(tmp_path: Path) -> None:
    names = ["run.sh", "src/service.py", "models/a/model.onnx"]
    first = archived(context(tmp_path / "one", names, 1_000_000_000), tmp_path / "1.tar")
    second = archived(context(tmp_path / "two", names[::-1], 1_700_000_000), tmp_path / "2.tar")

    assert first == second
    assert (tmp_path / "1.tar").read_bytes() == (tmp_path / "2.tar").read_bytes()


def test_the_order_in_which_files_are_found_does_not_show() -> None:
    one, other = Layer(), Layer()
    for layer, names in ((one, ["a/x", "b", "a/y"]), (other, ["b", "a/y", "a/x"])):
        for name in names:
            layer.file(name, name.encode())

    assert one.blob() == other.blob()


def test_another_content_is_another_image(tmp_path: Path) -> None:
    first = archived(context(tmp_path / "one", ["a"], 0), tmp_path / "1.tar")
    (tmp_path / "one" / "a").write_text("changed")

    assert archived(tmp_path / "one", tmp_path / "2.tar") != first


def test_an_archive_holds_together(tmp_path: Path) -> None:
    digest = archived(context(tmp_path / "files", ["run.sh", "src/service.py"], 0), tmp_path / "image.tar")

    with tarfile.open(tmp_path / "image.tar") as archive:
        files = {member.name: archive.extractfile(member).read() for member in archive if member.isfile()}  # pyright: ignore
    blobs = {name.rpartition("/")[2]: content for name, content in files.items() if name.startswith("blobs/")}
    assert all(hashlib.sha256(content).hexdigest() == name for name, content in blobs.items())
    (entry,) = json.loads(files["index.json"])["manifests"]
    assert entry["digest"] == digest
    assert entry["annotations"]["io.containerd.image.name"] == "registry.example.com/ml/app:1.0.0"
    manifest = json.loads(blobs[digest.removeprefix("sha256:")])
    config = json.loads(blobs[manifest["config"]["digest"].removeprefix("sha256:")])
    assert config["config"]["User"] == "1034:1034"
    assert config["config"]["Env"] == ["A=1"]
    with tarfile.open(fileobj=io.BytesIO(blobs[manifest["layers"][0]["digest"].removeprefix("sha256:")])) as layer:
        modes = {member.name: (member.mode, member.uid, member.mtime) for member in layer}
    assert modes == {
        "app": (0o755, 0, 0),
        "app/latest": (0o777, 0, 0),
        "app/run.sh": (0o755, 0, 0),
        "app/src": (0o755, 0, 0),
        "app/src/service.py": (0o644, 0, 0),
    }


def stand_in(folder: Path, name: str, script: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_a_machine_without_package_lists_is_told_to_update_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(tmp_path / "bin", "apt-get", "echo 'E: Unable to locate package bash' >&2; exit 100")
    stand_in(tmp_path / "bin", "dpkg-deb", "exit 0")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")

    with pytest.raises(BaseError, match=r"\(E: Unable to locate package bash\); run 'apt-get update' as root and try again"):
        base_layer(tmp_path / "debs")


def test_a_machine_without_apt_is_told_of_containerize(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(BaseError, match="no apt-get or no dpkg-deb; build the image with 'bentoml containerize'"):
        base_layer(tmp_path / "debs")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["no:1.0.0", "--reference", "registry.example.com/ml/app:1.0.0"], "build it with 'make example-bento EXAMPLE_VERSIONS="),
        (["no:1.0.0", "--reference", "registry.example.com:5000/ml/app"], "--reference: no tag"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(arguments: list[str], error: str, tmp_path: Path, model_store: Path) -> None:
    command = [sys.executable, "-m", "image", *arguments, "--output", str(tmp_path / "x.tar"), "--cache", str(tmp_path)]
    environment = {**os.environ, "BENTOML_HOME": str(model_store)}
    done = subprocess.run(command, cwd=EXAMPLE, env=environment, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert error in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
