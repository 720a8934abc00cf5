"""What docs/platform.md tells people to write is taken by the chart; the image that it tells them to build fits its pod."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from bento_gitops.model.layout import PLATFORM
from serving_chart import DIGEST, ROOT, Map, Rendered, said

CHART = ROOT / PLATFORM
PAGE = (ROOT / "docs/platform.md").read_text()
ENVIRONMENTS = "environments: {prod: {namespace: tickets-prod, routing: {controller: gateway}}}\n"


def blocks() -> list[Map]:
    """Every block of values on the page."""
    found = [textwrap.dedent(block) for block in re.findall(r"(?m)(?:^ {4,}.*\n)+", PAGE)]
    read = [yaml.safe_load(block.replace("sha256:...", DIGEST)) for block in found if re.match(r"\s*[a-zA-Z]+:(\s|$)", block)]
    return [block for block in read if isinstance(block, dict) and "namespace" not in block]


@pytest.fixture
def rendered(helm: Path) -> Callable[..., Rendered]:
    def objects(*values: Map, arguments: tuple[str, ...] = ()) -> Rendered:
        text = ENVIRONMENTS + "".join(yaml.safe_dump(each) for each in values)
        documents = yaml.load_all(said(helm, CHART, text, "--namespace", "bento-platform", *arguments), Loader=yaml.CSafeLoader)
        return Rendered(tuple(each for each in documents if each))

    return objects


def test_the_values_of_the_page_render(rendered: Callable[..., Rendered]) -> None:
    keys = [set(block) for block in blocks()]
    assert keys == [{"policies", "operators"}, {"gateway"}, {"secretStores"}, {"stepping"}]
    kinds = {each["kind"] for each in rendered(*blocks()).objects}
    assert kinds >= {"Gateway", "SecretStore", "CronJob", "ValidatingAdmissionPolicyBinding", "RoleBinding"}


def test_what_the_page_says_for_the_hour_when_everything_is_refused_renders(rendered: Callable[..., Rendered]) -> None:
    (command,) = re.findall(r"`helm upgrade \.\.\. (--set .+?)`", PAGE)
    objects = rendered(*blocks(), arguments=tuple(command.replace("'", "").split()))
    assert not list(objects.all("ValidatingAdmissionPolicyBinding"))
    assert list(objects.all("CronJob"))


def test_the_image_of_the_cronjobs_fits_their_pods(rendered: Callable[..., Rendered]) -> None:
    recipe = (CHART / "stepping/Dockerfile").read_text()
    (job,) = rendered(blocks()[-1]).all("CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    variables = {each["name"]: each["value"] for each in pod["containers"][0]["env"]}
    assert re.findall(r"(?m)^WORKDIR (.+)$", recipe) == [variables["TOOLS"]]
    assert re.findall(r"(?m)^USER (.+)$", recipe) == [str(pod["securityContext"]["runAsUser"])]
    assert f"useradd --uid {pod['securityContext']['runAsUser']} " in recipe, "ssh asks who its user is"
    assert {"git", "openssh-client", "make"} <= set(recipe.split())
    script = pod["containers"][0]["args"][0]
    assert set(re.findall(r"\$\{?([A-Z_]+)", script)) - {"PWD", "HOME", "GIT_SSH_COMMAND"} <= set(variables)
