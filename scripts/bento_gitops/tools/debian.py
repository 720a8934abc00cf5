"""Programs out of Debian packages: downloaded by apt, which checks the archive's signatures, and unpacked without root."""

from __future__ import annotations

import shutil
import subprocess
import tarfile
from pathlib import Path

from bento_gitops.model.problem import ToolFailed


def can_download() -> bool:
    """Whether this machine has what it takes: apt, and dpkg to look into a package."""
    return all(shutil.which(program) for program in ("apt-get", "dpkg-deb"))


def download(package: str, folder: Path) -> Path:
    """The package's file in the folder, from the machine's own package sources.

    Raises ToolFailed with what apt said.
    """
    command = ["apt-get", "download", "--quiet", package]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    found = sorted(folder.glob(f"{package}_*.deb"))
    if ran.returncode != 0 or len(found) != 1:
        errors = [line for line in ran.stderr.splitlines() if line.startswith("E:")] or [ran.stderr.strip()[-200:]]
        said = "; ".join(errors) or f"{len(found)} files"
        raise ToolFailed(f"could not download the Debian package {package} ({said}); run `apt-get update` as root and try again")
    return found[0]


def extract(package: Path, member: str, target: Path) -> None:
    """Writes one file of the package to the target.

    Raises ToolFailed where the package cannot be read or does not hold the file.
    """
    with subprocess.Popen(
        ["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as reading:
        assert reading.stdout
        try:
            with tarfile.open(fileobj=reading.stdout, mode="r|") as archive:
                for entry in archive:
                    if entry.name.removeprefix("./") == member and (stream := archive.extractfile(entry)):
                        with target.open("wb") as file:
                            shutil.copyfileobj(stream, file, 1 << 20)
                        return
        except tarfile.TarError as error:
            raise ToolFailed(f"{package.name} is no package that dpkg-deb can read: {error}") from None
    raise ToolFailed(f"{package.name} does not hold {member}")
