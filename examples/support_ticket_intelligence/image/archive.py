"""Knows the OCI image format: layers and a configuration become an archive with one manifest."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from image.layer import Blob

_TYPE = "application/vnd.oci.image"


@dataclass(frozen=True)
class Configuration:
    """How a container of the image starts."""

    user: str
    folder: str
    entrypoint: list[str]
    environment: dict[str, str]
    port: int


@dataclass
class _Archive:
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])

    def add(self, content: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(content).hexdigest()
        self.files[f"blobs/sha256/{digest}"] = content
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(content)}


def write_archive(path: Path, reference: str, layers: dict[str, Blob], configuration: Configuration) -> str:
    """Writes an OCI archive (linux/amd64) and returns the manifest's digest. `layers`: lowest first, by what each is called."""
    archive = _Archive()
    config = archive.add(_json(_config(layers, configuration)), f"{_TYPE}.config.v1+json")
    descriptors = [archive.add(blob.compressed, f"{_TYPE}.layer.v1.tar+gzip") for blob in layers.values()]
    media_type = f"{_TYPE}.manifest.v1+json"
    manifest = archive.add(
        _json({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": descriptors}), media_type
    )
    digest: str = manifest["digest"]
    # The two names under which containerd and other tools look for the reference when they import an archive.
    names = {"org.opencontainers.image.ref.name": reference, "io.containerd.image.name": reference}
    archive.files["index.json"] = _json({"schemaVersion": 2, "manifests": [{**manifest, "annotations": names}]})
    archive.files["oci-layout"] = _json({"imageLayoutVersion": "1.0.0"})
    part = path.with_name(path.name + ".part")
    with tarfile.open(part, "w") as tar:
        for name, content in sorted(archive.files.items()):
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    part.replace(path)
    return digest


def _config(layers: dict[str, Blob], configuration: Configuration) -> dict[str, Any]:
    return {
        "architecture": "amd64",
        "os": "linux",
        "config": {
            "User": configuration.user,
            "WorkingDir": configuration.folder,
            "Entrypoint": configuration.entrypoint,
            "Env": [f"{name}={value}" for name, value in configuration.environment.items()],
            "ExposedPorts": {f"{configuration.port}/tcp": {}},
        },
        "rootfs": {"type": "layers", "diff_ids": [blob.diff_id for blob in layers.values()]},
        "history": [{"created_by": name} for name in layers],
    }


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
