"""A small Bento of two services and a model, and how BentoML itself builds it: no network, two seconds."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

SERVICE = """
import os
import bentoml
from pydantic import BaseModel

class Arguments(BaseModel):
    scorer: str = "none:0"

ARGUMENTS = bentoml.use_arguments(Arguments)
LATENCY = int(os.getenv("SCORE_LATENCY_MS", "1500"))
IMAGE = bentoml.images.Image(
    base_image="python:3.11-slim", python_version="3.11", lock_python_packages=False, distro=""
).requirements_file("requirements.txt")

@bentoml.service(
    name="scores_v2",
    resources={"cpu": "500m", "memory": 2},
    envs=[
        {"name": "OMP_NUM_THREADS", "value": "1"},
        {"name": "HF_TOKEN"},
        {"name": "ONLY_AT_BUILD", "value": "1", "stage": "build"},
    ],
    labels={"tier": "runner"},
)
class Scorer:
    model = bentoml.models.BentoModel(ARGUMENTS.scorer)

    @bentoml.api(
        route="/score", batchable=True, max_batch_size=int(os.environ.get("SCORE_BATCH", "32")), max_latency_ms=LATENCY
    )
    def score(self, texts: list[str]) -> list[str]:
        return texts

    @bentoml.api(batchable=True, max_batch_size=16)
    def fixed(self, texts: list[str]) -> list[str]:
        return texts

@bentoml.service(name="Small", image=IMAGE, workers=1, traffic={"timeout": 2.5, "max_concurrency": 8, "external_queue": False})
class Api:
    scorer = bentoml.depends(Scorer)

    @bentoml.api
    async def classify(self, text: str) -> str:
        return text

    @bentoml.task(route="/reports")
    def report(self, text: str) -> str:
        return text
"""

BUILD = """
import json, sys
import bentoml

with bentoml.models.create("tiny_scorer:3.0.0", metadata=json.loads(sys.argv[1])) as model:
    with open(model.path_of("weights.bin"), "wb") as file:
        file.write(b"weights")
bento = bentoml.bentos.build_bentofile("bentofile.yaml", version="1.2.0", args={"scorer": "tiny_scorer:3.0.0"})
bento.export(sys.argv[2])
"""

BENTOFILE = """
service: "service:Api"
name: small_app
include: ["*.py", requirements.txt]
envs: [{name: SCORE_BATCH, value: "48"}]
"""

METADATA = {
    "framework": "scikit-learn==1.7.2",
    "dataset": {"snapshot": f"sha256:{'a' * 64}", "rows": 7, "seed": 3},
    "preprocessing": "2",
    "evaluation": {"report": "reports/3.json", "sha256": "b" * 64, "metrics": {"accuracy": 0.94, "drift": 5.9e-08}},
    "owner": "somebody",
}


@dataclass(frozen=True)
class Built:
    """A Bento as `bentoml build` made it, in a store and as an exported archive."""

    home: Path
    archive: Path
    tag: str = "small_app:1.2.0"

    @property
    def folder(self) -> Path:
        return self.home / "bentos" / self.tag.replace(":", "/")

    @property
    def source(self) -> str:
        return (self.folder / "src" / "service.py").read_text()


def build(folder: Path, python: Path) -> Built:
    """Builds it with this Python, which has BentoML, in a home of its own."""
    source, home, archive = folder / "source", folder / "home", folder / "small.bento"
    source.mkdir()
    (source / "service.py").write_text(SERVICE)
    (source / "bentofile.yaml").write_text(BENTOFILE)
    (source / "requirements.txt").write_text("bentoml==1.4.39\n")
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "BENTOML_HOME": str(home), "BENTOML_DO_NOT_TRACK": "True"}
    command = [python, "-B", "-c", BUILD, json.dumps(METADATA), str(archive)]
    done = subprocess.run(command, cwd=source, env=environment, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return Built(home, archive)
