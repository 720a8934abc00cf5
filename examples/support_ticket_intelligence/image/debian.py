"""Knows which Debian packages make up the image's base, and how they become a layer without being installed."""

from __future__ import annotations

import hashlib
import io
import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from image.layer import Layer

UID = 1034  # BentoML's own images run as this user; charts and volumes count on it

# What Python 3.11 of Debian 12 needs to run the example's wheels, and bash for the Bento's entrypoint.
# fmt: off
PACKAGES = [
    "base-files", "bash", "ca-certificates", "coreutils", "grep", "libacl1", "libattr1", "libbz2-1.0", "libc-bin", "libc6",
    "libcom-err2", "libcrypt1", "libdb5.3", "libexpat1", "libffi8", "libgcc-s1", "libgmp10", "libgssapi-krb5-2",
    "libk5crypto3", "libkeyutils1", "libkrb5-3", "libkrb5support0", "liblzma5", "libncursesw6", "libnsl2", "libpcre2-8-0",
    "libpython3.11-minimal", "libpython3.11-stdlib", "libreadline8", "libselinux1", "libsqlite3-0", "libssl3", "libstdc++6",
    "libtinfo6", "libtirpc3", "libuuid1", "media-types", "netbase", "python3.11", "python3.11-minimal", "sed", "zlib1g",
]
# fmt: on

# Licences stay; manuals, translations, Python's own tests and rare character sets are half of the bytes and never read.
_LEFT_OUT = re.compile(
    r"^usr/share/(?:doc/(?!.*/copyright$)|man|locale|info|lintian|bash-completion|menu|applications|pixmaps|binfmts|zsh)(?:/|$)"
    r"|^usr/lib/python3\.11/(?:test|lib2to3|idlelib|turtledemo|tkinter|ensurepip|pydoc_data|config-)"
    r"|/gconv/(?!gconv-modules|UTF|ISO8859-1\.)|^var/(?:cache|log)/.+"
)


class BaseError(Exception):
    """The base cannot be made on this machine; the message says what to do."""


def base_key() -> str:
    """Changes when this module would make another layer from the same packages."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:16]


def base_layer(folder: Path) -> Layer:
    """The base from the packages in `folder`; downloads those that are missing, from the machine's own Debian sources."""
    layer = Layer()
    certificates: list[bytes] = []
    for package in _packages(folder):
        _unpack(package, layer, certificates)
    for name in ("bin", "sbin", "lib", "lib64"):
        layer.link(name, f"usr/{name}")
    layer.link("usr/bin/sh", "bash")
    layer.link("usr/bin/python3", "python3.11")
    layer.link("usr/bin/python", "python3.11")
    for name in ("tmp", "var/tmp"):
        layer.folder(name, 0o1777)
    for name in ("proc", "sys", "dev", "run", "home/bentoml"):
        layer.folder(name)
    layer.folder("root", 0o700)
    # What the packages' installation scripts would have done. Kubernetes is content with a user's number, but getpwuid() of a
    # user without an entry raises KeyError.
    users = f"root:x:0:0:root:/root:/bin/bash\nbentoml:x:{UID}:{UID}::/home/bentoml:/bin/bash\n"
    layer.file("etc/passwd", users.encode())
    layer.file("etc/group", f"root:x:0:\nbentoml:x:{UID}:\n".encode())
    layer.file("etc/nsswitch.conf", b"passwd: files\ngroup: files\nhosts: files dns\n")
    layer.file("etc/ssl/certs/ca-certificates.crt", b"".join(certificates))
    layer.link("usr/lib/ssl/cert.pem", "/etc/ssl/certs/ca-certificates.crt")
    return layer


def _packages(folder: Path) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    missing = sorted(set(PACKAGES) - {_package_name(path) for path in folder.glob("*.deb")})
    if missing:
        _download(missing, folder)
    packages = sorted(path for path in folder.glob("*.deb") if _package_name(path) in PACKAGES)
    if len(packages) != len(PACKAGES):
        raise BaseError(f"{folder}: more than one version of a package; delete the folder and build again")
    return packages


def _package_name(path: Path) -> str:
    return path.name.partition("_")[0]


def _download(names: list[str], folder: Path) -> None:
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        raise BaseError(
            "the image's base is made from Debian 12 packages, and this machine has no apt-get or no dpkg-deb; "
            "build the image with 'bentoml containerize' where Docker is"
        )
    done = subprocess.run(["apt-get", "download", "-q", *names], cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "; ".join(line for line in done.stderr.splitlines() if line.startswith("E:")) or done.stderr.strip()
        raise BaseError(
            f"apt-get could not download the packages of the image's base ({said}); run 'apt-get update' as root and try again. "
            "They are Debian 12's: on another release 'bentoml containerize' makes the image"
        )


def _unpack(package: Path, layer: Layer, certificates: list[bytes]) -> None:
    raw = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(package)], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(raw)) as tar:
        for member in tar:
            path = _merged(member.name)
            if not path or _LEFT_OUT.search(path):
                continue
            if member.isdir():
                layer.folder(path, member.mode & 0o7777)
            elif member.issym():
                layer.link(path, member.linkname)
            elif (content := tar.extractfile(member)) is not None:  # a file, or a hard link, which becomes a copy
                data = content.read()
                layer.file(path, data, member.mode & 0o777)  # without the setuid bits: nothing in this image changes its user
                if path.startswith("usr/share/ca-certificates/") and path.endswith(".crt"):
                    certificates.append(data)


def _merged(name: str) -> str:
    # Debian 12 is merged (/bin is /usr/bin), its packages are not yet.
    path = name.removeprefix("./").strip("/")
    return f"usr/{path}" if path.split("/")[0] in ("bin", "sbin", "lib", "lib64") else path
