"""The examples of docs/authentication.md: each renders, asks at every way in, and fits the objects that it says are there."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/authentication.md").read_text()
TARGET = "prod/support-tickets"
RELEASE = """\
apiVersion: bento-gitops/v1
kind: Release
since: 2026-11-01T10:20:00Z
stable: blue
tracks: {blue: {bundle: "1.0.0", weight: 100}}
"""


def section(title: str) -> str:
    (found,) = re.findall(rf"(?ms)^## {title}\n(.*?)(?=^## |\Z)", TEXT)
    return found


def blocks(title: str) -> list[str]:
    """The indented blocks of a section, without their indentation."""
    return [re.sub(r"(?m)^    ", "", block) for block in re.findall(r"(?m)(?:^    .*\n)+", section(title))]


def files(title: str) -> dict[str, Any]:
    """By path, what the section's example says."""
    (example,) = [block for block in blocks(title) if block.startswith("# environments/")]
    parts = re.findall(r"(?ms)^# (environments/\S+)\n(.*?)(?=^# |\Z)", example)
    return {path: yaml.safe_load(text) for path, text in parts}


def objects(title: str) -> list[Any]:
    """What somebody else makes, as the section has it."""
    return [yaml.safe_load(block) for block in blocks(title) if block.startswith("apiVersion:")]


def rendered(fleet: Any, said: dict[str, Any]) -> list[Any]:
    """The objects of the example, laid into a fleet."""
    fleet.put("environments/prod/support-tickets/release.yaml", RELEASE)
    for path, text in said.items():
        fleet.put(path, yaml.safe_dump({**yaml.safe_load(fleet.text(path)), **text}))
    fleet.render(TARGET)
    values = fleet.path("environments/prod/support-tickets/values.yaml")
    helm = [ROOT / ".tools/bin/helm", "template", "x", ROOT / "charts/bento-serving", "-f", values]
    ran = subprocess.run(helm, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return [each for each in yaml.safe_load_all(ran.stdout) if each]


def one(found: list[Any], kind: str) -> Any:
    (only,) = [each for each in found if each["kind"] == kind]
    return only


@pytest.mark.parametrize("title", ["traefik", "nginx", "gateway", "istio"])
def test_an_example_is_of_the_controller_that_its_section_is_about(title: str) -> None:
    said = files(title)
    assert list(said) == ["environments/prod/environment.yaml", "environments/prod/support-tickets/config.yaml"]
    assert said["environments/prod/environment.yaml"]["routing"]["controller"] == title


def test_the_example_of_traefik_asks_before_every_route(fleet: Any) -> None:
    found = rendered(fleet, files("traefik"))
    (auth,) = [each for each in found if "forwardAuth" in each.get("spec", {})]
    assert auth["metadata"]["name"] == "support-tickets.auth"
    assert auth["spec"]["forwardAuth"]["address"] in section("traefik")
    assert {each["middlewares"][0]["name"] for each in one(found, "IngressRoute")["spec"]["routes"]} == {"support-tickets.auth"}


def test_the_example_of_nginx_asks(fleet: Any) -> None:
    said = one(rendered(fleet, files("nginx")), "Ingress")["metadata"]["annotations"]
    assert said["nginx.ingress.kubernetes.io/auth-url"] == "https://auth.example.com/oauth2/auth"


def test_the_example_of_a_gateway_names_the_object_beside_it(fleet: Any) -> None:
    (middleware,) = objects("gateway")
    group = middleware["apiVersion"].partition("/")[0]
    named = {"group": group, "kind": middleware["kind"], "name": middleware["metadata"]["name"]}
    namespace = yaml.safe_load(fleet.text("environments/prod/environment.yaml"))["namespace"]
    assert middleware["metadata"]["namespace"] == namespace, "beside the route"
    rules = one(rendered(fleet, files("gateway")), "HTTPRoute")["spec"]["rules"]
    assert [rule["filters"][0]["extensionRef"] for rule in rules] == [named] * len(rules)


@pytest.mark.parametrize("kind", ["jwt", "external"])
def test_the_example_of_istio_holds_at_the_gateway_that_knows_the_issuer(fleet: Any, kind: str) -> None:
    (issuers,) = objects("istio")
    said = files("istio")
    if kind == "external":
        said["environments/prod/support-tickets/config.yaml"] = {"routing": {"auth": {"require": "external"}}}
    policy = one(rendered(fleet, said), "AuthorizationPolicy")
    assert policy["metadata"]["name"] == "prod.support-tickets"
    assert policy["metadata"]["namespace"] == issuers["metadata"]["namespace"]
    assert policy["spec"]["selector"] == issuers["spec"]["selector"]
    assert policy["spec"]["action"] == {"jwt": "DENY", "external": "CUSTOM"}[kind]
    if kind == "jwt":
        (rule,) = issuers["spec"]["jwtRules"]
        assert [{"key": "request.auth.claims[iss]", "notValues": [rule["issuer"]]}] in [
            each.get("when") for each in policy["spec"]["rules"]
        ]


def test_the_table_says_no_of_whom_the_command_refuses() -> None:
    from bento_gitops.rendering.authentication import REFUSED

    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in TEXT.splitlines() if line.startswith("|")]
    controllers = rows[0][1:]
    assert controllers == list(REFUSED)
    said = {row[0].strip("`"): row[1:] for row in rows}
    for kind in ("external", "jwt"):
        assert [cell == "no" for cell in said[kind]] == [kind in REFUSED[controller] for controller in REFUSED]
