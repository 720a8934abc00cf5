"""A team's repository with a bare remote, a clock, and what somebody sees live: what stories about releases are told with."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from bento_gitops.layers.reading import read
from bento_gitops.model.base import timestamp
from bento_gitops.model.layout import bundle_file, release_file
from bento_gitops.model.release import Release
from bento_gitops.operations.render import render
from bento_gitops.releasing.states import State, state_of
from bento_gitops.repository.files import GitTree, WorkingTree
from commands import called
from git_repositories import Origin, Repository, new_origin

TESTS = Path(__file__).parents[1]
CHART = TESTS.parent / "charts" / "bento-serving"
SCHEMAS = TESTS.parent / "schemas" / "custom-resources"
APP = "support-tickets"
REGION = f"prod-b/{APP}"
REGION_ENVIRONMENT = """\
apiVersion: bento-gitops/v1
kind: Environment
extends: prod
namespace: tickets-prod-b
cluster: prod-b-cluster
routing:
  controller: gateway
  gateway: {name: public, namespace: gateways, listener: web, pod_labels: {app: gateway}}
  hostname: "{application}.prod-b.example.com"
"""
"""A second region, which extends prod."""

RULES = {
    "dev": "promotion: {direct: true}\n",
    "staging": "promotion: {from: dev}\n",
    "prod": (
        "promotion:\n"
        "  from: staging\n"
        "  soak: 24h\n"
        "  freeze:\n"
        "    - {reason: end of year, start: 2026-12-20T00:00:00Z, end: 2027-01-02T00:00:00Z}\n"
    ),
}
ROLLOUT = {
    "dev": "  rollout: {strategy: direct}\n",
    "staging": "  rollout: {strategy: blue-green, interval: 5m}\n",
    "prod": "  rollout: {steps: [1, 5, 25, 100], interval: 10m, standby: {keep: 1h, capacity: full}}\n",
}


def team(folder: Path) -> Origin:
    """A remote with the fleet of the tests, the chart, and rules for each environment; 1.0.0 runs everywhere."""
    root = folder / "fleet"
    shutil.copytree(TESTS / "fleet", root)
    shutil.rmtree(root / "charts")
    shutil.copytree(CHART, root / "charts" / "bento-serving")
    shutil.copytree(SCHEMAS, root / "schemas" / "custom-resources")
    for environment, rules in RULES.items():
        path = root / "environments" / environment / "environment.yaml"
        text = path.read_text("utf-8").replace("defaults:\n", f"{rules}defaults:\n{ROLLOUT[environment]}")
        path.write_text(text, encoding="utf-8")
        steady = (
            "apiVersion: bento-gitops/v1\nkind: Release\nstable: blue\ntracks:\n"
            '  blue: {bundle: "1.0.0", weight: 100} # what everything began with\nsince: 2026-11-01T10:20:00Z\n'
        )
        (root / release_file(f"{environment}/{APP}")).write_text(steady, encoding="utf-8")
    application = root / "applications" / f"{APP}.yaml"
    application.write_text(application.read_text("utf-8") + "evaluation: {ticket-classifier: {accuracy: {min: 0.9}}}\n")
    (root / "environments" / "prod" / APP / "overrides.yaml").unlink()
    for one in render(WorkingTree(root), None):
        (root / one.target.values).write_text(one.text, encoding="utf-8")
    shutil.copy(TESTS.parent / ".gitignore", root)
    files = {str(path.relative_to(root)): path.read_text("utf-8") for path in sorted(root.rglob("*")) if path.is_file()}
    return new_origin(folder, files)


class Said:
    """What a command printed, and how it ended."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    @property
    def everything(self) -> str:
        return self.out + self.err


class Operator:
    """Somebody at a clone, at a time."""

    def __init__(self, clone: Repository, desk: Path) -> None:
        self.clone, self.desk = clone, desk
        self.now = datetime.fromisoformat("2026-11-10T09:00:00+00:00")

    def later(self, **length: float) -> None:
        self.now += timedelta(**length)

    def run(self, *arguments: str, code: int = 0) -> Said:
        """A command of bento-gitops; it must end with this code."""
        done = called(self.clone.root, *arguments)
        ended, out, err = done.returncode, done.stdout, done.stderr
        assert ended == code, f"{' '.join(arguments)}: exit {ended}\n{out}\n{err}"
        return Said(ended, out, err)

    def change(self, *arguments: str, code: int = 0) -> Said:
        """A changing command, pushed."""
        return self.run(*arguments, "--push", "--now", timestamp(self.now), code=code)

    def release(self, environment: str) -> Release:
        """As the working tree has it."""
        path = release_file(f"{environment}/{APP}")
        return read((self.clone.root / path).read_bytes(), path, Release).value

    def state(self, environment: str) -> tuple[State, dict[str, int]]:
        """The state, and the weight of each bundle that has requests."""
        release = self.release(environment)
        return state_of(release), {track.bundle: track.weight for track in release.tracks.values() if track.weight}

    def observe(
        self,
        environment: str,
        *,
        errors: float = 0.001,
        p95: float = 0.2,
        requests: int = 1000,
        verified: bool | None = None,
        **above: Any,
    ) -> str:
        """A file with what is seen now: what Git says is live, with all its pods; the candidate's errors and p95 as given."""
        release = self.release(environment)
        measured = {
            name: {
                "requests": requests,
                "errors": round(requests * (errors if name == release.candidate else 0.001)),
                "p95": p95 if name == release.candidate else 0.2,
            }
            for name, track in release.tracks.items()
            if track.weight
        }
        seen: dict[str, Any] = {
            "apiVersion": "bento-gitops/v1",
            "kind": "Observation",
            "target": f"{environment}/{APP}",
            "at": timestamp(self.now),
            "cluster": f"{environment}-cluster",
            "run": "https://ci.example.com/runs/1",
            "weights": {name: track.weight for name, track in release.tracks.items()},
            "tracks": {
                name: {"bundle": track.bundle, "ready": self.pods(environment, name)} for name, track in release.tracks.items()
            },
            "analysis": {"window": "10m", "tracks": measured},
        }
        if verified is not None:
            failed = [] if verified else ["queue of ticket 7"]
            track = release.candidate or release.stable
            seen["verification"] = {"track": track, "passed": verified, "checks": 12, "failed": failed}
        file = self.desk / f"{environment}-observation.json"
        file.write_text(json.dumps(seen | above), encoding="utf-8")
        return str(file)

    def pods(self, environment: str, track: str) -> dict[str, int]:
        return _pods((self.clone.root / "environments" / environment / APP / "values.yaml").read_bytes(), track)

    def step(self, environment: str, **seen: Any) -> Said:
        """`canary step` with what is seen live."""
        return self.change("canary", "step", f"{environment}/{APP}", "--observation", self.observe(environment, **seen))

    def steps_until(self, environment: str, **goal: int) -> list[str]:
        """Steps, with two minutes between them, until the bundles have these weights; what each step did."""
        wanted = {tag.replace("_", ".").removeprefix("v"): weight for tag, weight in goal.items()}
        done: list[str] = []
        for _ in range(60):
            if self.state(environment)[1] == wanted and self.state(environment)[0] in ("steady", "shifting"):
                return done
            done.append(self.step(environment).out.partition("\n")[0])
            self.later(minutes=2)
        raise AssertionError(f"{wanted} was never reached: {done}")

    def record(self, environment: str, **seen: Any) -> Said:
        """`verify --record` of what is seen."""
        file = self.observe(environment, verified=True, **seen)
        return self.change("verify", f"{environment}/{APP}", "--record", "--observation", file)

    def new_bundle(self, tag: str, *replaced: tuple[str, str]) -> None:
        """A bundle like 1.1.0, by a pull request that was merged."""
        text = self.clone.text(bundle_file(APP, "1.1.0"))
        assert text
        for old, new in (("1.1.0", tag), ("2" * 64, (tag.replace(".", "") * 64)[:64]), *replaced):
            assert old in text, old
            text = text.replace(old, new)
        self.clone.commit(f"Bundle {tag}", {bundle_file(APP, tag): text})
        self.clone.git("push", "--quiet", "origin", "main")

    def prove(self, tag: str) -> None:
        """The bundle to dev and staging, verified and soaked there, as prod wants it."""
        self.change("promote", f"dev/{APP}", tag)
        self.record("dev")
        self.change("promote", f"staging/{APP}")
        self.steps_until("staging", **{f"v{tag}": 100})
        self.record("staging")
        self.later(hours=24)
        self.record("staging")


def _pods(values: bytes, track: str) -> dict[str, int]:
    components: Mapping[str, Any] = _parsed(values)["tracks"][track]["components"]
    return {name: component.get("scaling", {}).get("minReplicas", 1) for name, component in components.items()}


@lru_cache(maxsize=8)
def _parsed(text: bytes) -> Any:
    """YAML that is asked for again while nothing happened to it."""
    return yaml.load(text, Loader=yaml.CSafeLoader)


def stale_commits(clone: Repository) -> list[str]:
    """The commits of main in which some values.yaml is not what a fresh render says."""
    return [
        clone.git("log", "-1", "--format=%h %s", sha)
        for sha in clone.git("rev-list", "main").splitlines()
        if any(one.changed for one in render(GitTree(clone.root, sha), None))
    ]
