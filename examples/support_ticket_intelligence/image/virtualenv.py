"""Knows how locked requirements become the image's virtual environment, the same bytes every time."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from image.layer import Layer

AT = "app/.venv"  # where BentoML's entrypoint looks for it


def virtualenv_key(requirements: Path) -> str:
    """Changes when the layer would: with the locked requirements or with this module."""
    return hashlib.sha256(requirements.read_bytes() + Path(__file__).read_bytes()).hexdigest()[:16]


def virtualenv_layer(requirements: Path, wheels: Path) -> Layer:
    """A virtual environment from wheels that were downloaded (and checked against the hashes in `requirements`) before."""
    _fetch(requirements, wheels)
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch) / "venv"
        _install(requirements, wheels, root)
        _reduce(root)
        _compile(root)
        _move_into_the_image(root)
        layer = Layer()
        layer.tree(root, AT)
        for path, entry in layer.entries.items():  # the folder goes away with this block
            if isinstance(entry.content, Path):
                layer.file(path, entry.content.read_bytes(), entry.mode)
        return layer


def _fetch(requirements: Path, wheels: Path) -> None:
    wheels.mkdir(parents=True, exist_ok=True)
    stamp = wheels / f"{hashlib.sha256(requirements.read_bytes()).hexdigest()}.fetched"
    if stamp.exists():
        return
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*pip, "--no-deps", "--require-hashes", "--only-binary", ":all:", "-d", str(wheels), "-r", str(requirements)], check=True
    )
    stamp.touch()


def _install(requirements: Path, wheels: Path, root: Path) -> None:
    uv = str(Path(sys.executable).parent / "uv")
    subprocess.run([uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(root)], check=True)
    install = [uv, "pip", "install", "--quiet", "--no-config", "--no-build", "--no-index", "--find-links", str(wheels)]
    subprocess.run(
        [*install, "--no-deps", "--require-hashes", "--link-mode", "copy", "-r", str(requirements)],
        check=True,
        env={**os.environ, "VIRTUAL_ENV": str(root)},
    )


def _reduce(root: Path) -> None:
    for folder in sorted(root.rglob("*"), reverse=True):  # reversed: what is inside goes first
        if folder.is_dir() and folder.name in ("tests", "test", "__pycache__"):
            shutil.rmtree(folder)
    for path in sorted(root.rglob("*")):
        # Records of the installation: they name this machine's folders and times, and nothing in a container reads them.
        if path.suffix == ".pyi" or path.name in ("RECORD", "direct_url.json", "uv_cache.json"):
            path.unlink()


def _compile(root: Path) -> None:
    # Unchecked hashes: bytecode carries the source's time otherwise. Compiled here, because the container's root is read-only.
    # The return code is not looked at: some packages carry templates that are no valid Python, and these stay uncompiled.
    command = [sys.executable, "-m", "compileall", "-qq", "-j", "2", "--invalidation-mode", "unchecked-hash"]
    subprocess.run(
        [*command, "-s", str(root), "-p", f"/{AT}", str(root / "lib")],
        check=False,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONHASHSEED": "0"},  # sets in constants are written in an order that depends on it
    )
    if not next(root.glob("lib/*/site-packages/bentoml/__pycache__/*.pyc"), None):
        raise RuntimeError("compileall compiled nothing; a start in the container would compile everything anew, each time")


def _move_into_the_image(root: Path) -> None:
    for name in ("python", "python3", "python3.11"):
        (root / "bin" / name).unlink(missing_ok=True)
        (root / "bin" / name).symlink_to("/usr/bin/python3.11")
    (root / "pyvenv.cfg").write_text("home = /usr/bin\ninclude-system-site-packages = false\nversion_info = 3.11\n")
    for script in (root / "bin").glob("activate*"):
        script.write_text(script.read_text().replace(str(root), f"/{AT}"))
