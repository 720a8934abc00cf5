"""Names of objects, and the labels by which they find each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bento_gitops.model.names import component_name, kebab, object_name
from serving_chart import CI, Rendered, laid_over, tickets, two_tracks

Render = Callable[..., Rendered]


@pytest.mark.parametrize(
    ("service", "name"),
    [
        ("EmbeddingRunner", "embedding-runner"),
        ("tokens_v2", "tokens-v2"),
        ("HTTPServer", "http-server"),
        ("embedder", "embedder"),
        ("Embedder2", "embedder2"),
        ("GPT4Runner", "gpt4-runner"),
        ("parseHTML", "parse-html"),
        ("image.to.text", "image-to-text"),
        ("_private__Thing_", "private-thing"),
        ("A", "a"),
        ("No", "no"),
        ("x_1", "x-1"),
    ],
)
def test_an_object_is_named_after_its_service_in_kebab_case(render: Render, service: str, name: str) -> None:
    values = tickets()
    values["tracks"]["blue"]["components"] = {"Api": {"role": "api"}, service: {"role": "runner"}}
    found = render(values)
    assert kebab(service) == name
    deployment = found.one("Deployment", f"tickets-blue-{name}")
    assert deployment["spec"]["template"]["spec"]["containers"][0]["args"][2] == service
    assert deployment["metadata"]["labels"]["bento-gitops/component"] == name


def test_names_of_63_characters_are_cut_and_stay_apart(render: Render) -> None:
    def names(length: int) -> list[str]:
        services = {f"{'a' * (length - 13)}{end}": {"role": "runner"} for end in ("b", "c")}  # tickets-blue- has 13 characters
        found = render(tickets(tracks={"blue": {"components": services}}))
        return [each["metadata"]["name"] for each in found.all("Deployment") if "aaa" in each["metadata"]["name"]]

    assert [len(name) for name in names(61)] == [62, 62]
    assert all(name.endswith(("ab", "ac")) for name in names(61))
    cut = names(62)
    assert [len(name) for name in cut] == [62, 62]
    assert len(set(cut)) == 2
    assert not any(name.endswith(("ab", "ac")) for name in cut)


@pytest.mark.parametrize(
    "service", ["Embedder", "E" * 49 + "b", "E" * 50 + "b", "E" * 40 + "-" * 12 + "B", "Aa" * 25, "E" * 63, "aB" * 31]
)
def test_commands_know_an_object_s_name_without_the_chart(render: Render, service: str) -> None:
    values = tickets()
    values["tracks"]["blue"]["components"] = {"Api": {"role": "api"}, service: {"role": "runner"}}
    (found,) = [one for one in render(values).all("Deployment") if one["metadata"]["labels"]["bento-gitops/role"] == "runner"]
    assert found["metadata"]["name"] == object_name("tickets", "blue", service)
    assert found["metadata"]["labels"]["bento-gitops/component"] == component_name(service)


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_no_name_or_label_is_too_long_and_no_object_comes_twice(render: Render, file: object) -> None:
    seen: set[tuple[str, str]] = set()
    for found in render(file).objects:
        identity = found["kind"], found["metadata"]["name"]
        assert identity not in seen
        seen.add(identity)
        assert len(found["metadata"]["name"]) < 63
        assert all(isinstance(value, str) and len(value) <= 63 for value in found["metadata"]["labels"].values())


def test_words_that_yaml_takes_for_truth_or_numbers_stay_text(render: Render) -> None:
    values = tickets(application="on", labels={"yes": "no", "number": "010"}, stable="no")
    values["tracks"] = {"no": laid_over(values["tracks"]["blue"], {"bundle": "1e3", "components": {"Null": {"role": "runner"}}})}
    for found in render(values).objects:
        labels = found["metadata"]["labels"]
        assert labels.items() >= {"bento-gitops/application": "on", "yes": "no", "number": "010"}.items()
        if "bento-gitops/track" in labels:
            assert (labels["bento-gitops/track"], labels["bento-gitops/bundle"]) == ("no", "1e3")


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_every_object_carries_what_people_and_the_environment_say(render: Render, file: object) -> None:
    values: Any = {"labels": {"owner": "ml", "tenant": "acme"}, "environment": "prod"}
    for found in render(file, "--set", "labels.owner=ml,labels.tenant=acme,environment=prod").objects:
        places = [found["metadata"]] + ([found["spec"]["template"]["metadata"]] if found["kind"] == "Deployment" else [])
        for metadata in places:
            assert metadata["labels"].items() >= {**values["labels"], "bento-gitops/environment": "prod"}.items()


def test_no_label_depends_on_the_release_or_on_the_chart_s_version(render: Render) -> None:
    values = two_tracks(application="tickets")
    assert render(values, release="one").objects == render(values, release="another").objects
    assert render(tickets(), release="other").one("ServiceAccount", "other")


def test_a_deployment_s_selector_is_fixed_and_a_track_s_service_also_names_the_bundle(render: Render) -> None:
    found = render(two_tracks())
    fixed = {"bento-gitops/application": "tickets", "bento-gitops/track": "green", "bento-gitops/component": "embedder"}
    assert found.one("Deployment", "tickets-green-embedder")["spec"]["selector"] == {"matchLabels": fixed}
    with_bundle = {**fixed, "bento-gitops/bundle": "1.1.0"}
    assert found.one("Service", "tickets-green-embedder")["spec"]["selector"] == with_bundle
    assert found.one("NetworkPolicy", "tickets-green-embedder")["spec"]["podSelector"] == {"matchLabels": with_bundle}
    pod = found.one("Deployment", "tickets-green-embedder")["spec"]["template"]["metadata"]["labels"]
    assert pod.items() >= {**with_bundle, "bento-gitops/role": "runner"}.items()


@pytest.mark.parametrize("file", CI, ids=lambda file: file.stem)
def test_each_selector_finds_the_pods_of_exactly_one_deployment(render: Render, file: object) -> None:
    found = render(file)
    pods = {each["metadata"]["name"]: each["spec"]["template"]["metadata"]["labels"] for each in found.all("Deployment")}

    def selected(labels: dict[str, str]) -> set[str]:
        return {name for name, own in pods.items() if own.items() >= labels.items()}

    for each in found.all("Deployment"):
        assert selected(each["spec"]["selector"]["matchLabels"]) == {each["metadata"]["name"]}
    for each in found.all("Service"):
        assert len(selected(each["spec"]["selector"])) == 1
    for each in found.all("PodDisruptionBudget"):
        assert selected(each["spec"]["selector"]["matchLabels"]) == {each["metadata"]["name"]}
