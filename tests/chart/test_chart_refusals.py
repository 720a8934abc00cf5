"""Values that cannot work: the chart says so, all at once, in sentences."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from serving_chart import DIGEST, ROOT, Refused, component, laid_over, tickets

REFUSED = sorted((Path(__file__).parent / "refused").glob("*.yaml"))
REGISTRY = "registry.example.com/tickets"
Template = Callable[..., str]


def sentences(message: str) -> list[str]:
    """The lines in which the chart says what is wrong."""
    _, _, rest = message.partition("are wrong:\n")
    assert rest, message
    return [line.strip() for line in rest.partition("\n\n")[0].splitlines() if line.startswith("  ")]


def of(file: Path) -> tuple[dict[str, Any], list[str]]:
    text = file.read_text()
    return laid_over(tickets(), yaml.safe_load(text)), re.findall(r"^# refused: (.+)$", text, re.MULTILINE)


@pytest.mark.parametrize("file", REFUSED, ids=lambda file: file.stem)
def test_what_cannot_work_is_refused_with_exactly_these_sentences(template: Template, helm_3: Path, file: Path) -> None:
    values, expected = of(file)
    for options in ({}, {"using": helm_3}):
        with pytest.raises(Refused) as refused:
            template(values, **options)
        assert sentences(str(refused.value)) == expected


def test_all_mistakes_are_told_at_once(template: Template) -> None:
    values = tickets(stable="green", routing={"controller": "gateway"}, tracks=component("Embedder", dependencies=["Nobody"]))
    with pytest.raises(Refused) as refused:
        template(values)
    assert len(sentences(str(refused.value))) == 3


def test_without_tracks_the_refusal_shows_a_command_that_works(template: Template) -> None:
    with pytest.raises(Refused) as refused:
        template({})
    (sentence,) = sentences(str(refused.value))
    given = sentence.partition("--set ")[2]
    assert "kind: Deployment" in template({}, "--set", given.replace("sha256:...", DIGEST))


def test_the_readme_s_command_works(template: Template) -> None:
    readme = (ROOT / "charts/bento-serving/README.md").read_text()
    given = re.findall(r"--set (\S+)", readme)
    assert len(given) == 3
    arguments = [word for each in given for word in ("--set", each.replace("sha256:...", DIGEST))]
    assert "kind: Deployment" in template({}, *arguments)


@pytest.mark.parametrize(
    ("wrong", "pointer"),
    [
        ({"trakcs": {}}, "trakcs"),
        ({"tracks": component("Embedder", replicas=3)}, "replicas"),
        ({"tracks": component("Embedder", resources={"memory": "2 GB"})}, "/tracks/blue/components/Embedder/resources/memory"),
        ({"tracks": component("Embedder", envs={"LEVEL": 1})}, "/tracks/blue/components/Embedder/envs/LEVEL"),
        ({"tracks": component("Embedder", envs={"no-name": "1"})}, "no-name"),
        ({"tracks": component("Embedder", role="worker")}, "/tracks/blue/components/Embedder/role"),
        ({"tracks": {"blue": {"image": {"digest": "latest"}}}}, "/tracks/blue/image/digest"),
        ({"tracks": {"blue": {"weight": 99.5}}}, "/tracks/blue/weight"),
        ({"tracks": {"Blue_1": {}}}, "Blue_1"),
        ({"routing": {"controller": "haproxy"}}, "/routing/controller"),
        (
            {"routing": {"rules": {"acme": {"track": "blue", "headers": {"x-tenant": []}}}}},
            "/routing/rules/acme/headers/x-tenant",
        ),
        (
            {"routing": {"rules": {"acme": {"track": "blue", "headers": {"x-tenant": ["`"]}}}}},
            "/routing/rules/acme/headers/x-tenant",
        ),
        ({"routing": {"mirror": {"track": "blue", "percent": 101}}}, "/routing/mirror/percent"),
    ],
)
def test_what_the_schema_forbids_is_refused_by_both_helms(
    template: Template, helm_3: Path, wrong: dict[str, Any], pointer: str
) -> None:
    for options in ({}, {"using": helm_3}):
        with pytest.raises(Refused, match="specifications of the schema") as refused:
            template(tickets(**wrong), **options)
        assert pointer in str(refused.value)


def test_null_means_the_same_in_both_helms(template: Template, helm_3: Path) -> None:
    """It takes a default of the chart away; where there is none, a schema or a check says so."""
    for values in (
        tickets(defaults={"roles": {"runner": {"probes": {"startup": None}}}}),
        tickets(routing=None, labels=None, imagePullSecrets=None, monitoring=None),
        tickets(tracks=component("Embedder", envs={"LEVEL": None})),
        tickets(tracks=component("Embedder", scaling=None)),
        tickets(tracks={"green": None}),
    ):
        outcomes: list[object] = []
        for options in ({}, {"using": helm_3}):
            try:
                outcomes.append([found for found in yaml.safe_load_all(template(values, **options)) if found])
            except Refused as refused:
                outcomes.append("schema" if "schema" in str(refused) else sentences(str(refused)))
        assert outcomes[0] == outcomes[1], json.dumps(values)
