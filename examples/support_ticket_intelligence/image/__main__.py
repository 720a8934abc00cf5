"""Knows what an image of a Bento consists of.

    python -m image BENTO --reference NAME:TAG --output FILE.tar [--cache FOLDER]

Three layers: Debian 12 with Python 3.11, the virtual environment, the Bento with its models. The first two are the same for every
Bento with the same requirements. Standard output is one line, NAME@sha256:..., which also goes to FILE.ref; progress goes to
standard error.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import bentoml
import yaml
from bentoml.exceptions import NotFound

from image.archive import Configuration, write_archive
from image.debian import UID, BaseError, base_key, base_layer
from image.layer import Blob, Layer
from image.virtualenv import AT, virtualenv_key, virtualenv_layer

BENTO_AT = "home/bentoml/bento"


def main() -> str | None:
    parser = argparse.ArgumentParser(prog="image", description="Makes an OCI archive of a built Bento.")
    parser.add_argument("bento", help="tag of a Bento in the store ($BENTOML_HOME)")
    parser.add_argument("--reference", required=True, help="the image's name, with a tag")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--cache", type=Path, default=Path("build/example/image-cache"))
    arguments = parser.parse_args()
    if sys.version_info[:2] != (3, 11):
        found = sys.version.split()[0]
        return f"the image's wheels and bytecode are for Python 3.11 (found {found}); run this with python3.11"
    repository, _, tag = str(arguments.reference).rpartition(":")
    if not repository or "/" in tag:
        return f"--reference: no tag (found {arguments.reference!r}); give NAME:TAG"
    try:
        digest = build_image(arguments.bento, arguments.reference, arguments.output, arguments.cache)
    except NotFound as missing:
        return f"{missing}; build it with 'make example-bento EXAMPLE_VERSIONS={tag}'"
    except (BaseError, subprocess.CalledProcessError) as failed:
        return str(failed)
    arguments.output.with_suffix(".ref").write_text(f"{repository}@{digest}\n")
    print(f"{repository}@{digest}")
    return None


def build_image(tag: str, reference: str, output: Path, cache: Path) -> str:
    """Writes the archive and returns the image's digest; says what it does and how long that takes."""
    bento = bentoml.get(tag)
    folder = Path(bento.path)
    cache.mkdir(parents=True, exist_ok=True)
    # Not env/python/requirements.txt: to that BentoML appends itself once more, without a hash.
    requirements = folder / "src" / "requirements.txt"
    models = [Path(bentoml.models.get(model.tag).path) for model in bento.info.all_models]
    layers = {
        "Debian 12, Python 3.11": _kept(cache, f"base-{base_key()}", lambda: base_layer(cache / "debs")),
        "virtual environment": _kept(
            cache, f"venv-{virtualenv_key(requirements)}", lambda: virtualenv_layer(requirements, cache / "wheels")
        ),
        "Bento and models": _bento_layer(folder, models).blob(),
    }
    for name, blob in layers.items():
        _say(f"layer {name}: {len(blob.compressed) / 1e6:.0f} MB\n")
    output.parent.mkdir(parents=True, exist_ok=True)
    digest = write_archive(output, reference, layers, _configuration(folder))
    _say(f"{output}: {output.stat().st_size / 1e6:.0f} MB\n")
    return digest


def _kept(cache: Path, key: str, make: Callable[[], Layer]) -> Blob:
    kept = cache / f"{key}.tar.gz"
    if kept.exists():
        compressed = kept.read_bytes()
        return Blob(compressed, "sha256:" + hashlib.sha256(gzip.decompress(compressed)).hexdigest())
    _say(f"making {key.partition('-')[0]} layer ... ")
    started = time.monotonic()
    blob = make().blob()
    part = kept.with_suffix(".part")
    part.write_bytes(blob.compressed)
    part.replace(kept)
    _say(f"{time.monotonic() - started:.0f} s\n")
    return blob


def _say(text: str) -> None:
    print(text, end="", file=sys.stderr, flush=True)


def _bento_layer(bento: Path, models: list[Path]) -> Layer:
    layer = Layer()
    layer.tree(bento, BENTO_AT)
    layer.entries[f"{BENTO_AT}/env/docker/entrypoint.sh"] = layer.entries[f"{BENTO_AT}/env/docker/entrypoint.sh"].executable()
    for model in models:  # a model's folder is <name>/<version>, in the store as in a Bento
        layer.tree(model, f"{BENTO_AT}/models/{model.parent.name}/{model.name}")
    return layer


def _configuration(bento: Path) -> Configuration:
    declared = yaml.safe_load((bento / "bento.yaml").read_text(encoding="utf-8"))["envs"]
    return Configuration(
        user=f"{UID}:{UID}",  # a number: Kubernetes cannot tell that a name is not root
        folder=f"/{BENTO_AT}",
        entrypoint=[f"/{BENTO_AT}/env/docker/entrypoint.sh"],
        port=3000,
        environment={
            "PATH": f"/{AT}/bin:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PYTHONIOENCODING": "UTF-8",
            "PYTHONUNBUFFERED": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "VIRTUAL_ENV": f"/{AT}",
            "BENTO_PATH": f"/{BENTO_AT}",
            "BENTOML_HOME": "/tmp/bentoml",  # BentoML's own /home/bentoml is not writable on a read-only root
            "BENTOML_CONTAINERIZED": "true",
            **{env["name"]: env["value"] for env in declared},
        },
    )


if __name__ == "__main__":
    sys.exit(main())
