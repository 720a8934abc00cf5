"""What a chart does not know of what may be said: by its schema, with an effect or without one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from bento_gitops.checking.chart_files import values_schema
from bento_gitops.layers.marked import MarkedMap, Plain, parse
from bento_gitops.layers.merging import Layer, Leaf, ResolvedMap, Said, leaves_of
from bento_gitops.model.problem import Place
from bento_gitops.model.shape import shape_of
from bento_gitops.model.values import Values
from bento_gitops.rendering.chart_keys import Gap, fitted, gap_of

SHAPE = shape_of(Values)
NEWEST = """\
mode: split
routing: {controller: none}
defaults:
  roles:
    api: {workers: 1, traffic: {timeout: 30}}
    runner: {workers: 2}
"""


def newest() -> MarkedMap:
    return parse(NEWEST, "charts/bento-serving/values.yaml")


def leaf(value: Plain, layer: Layer = "environment") -> Leaf:
    return Leaf(value, (Said(layer, Place("config.yaml", 7), value, "", True),))


def component(role: str, **said: Any) -> ResolvedMap:
    return {"tracks": {"blue": {"components": {"Api": {"role": leaf(role, "decorator"), **said}}}}}


def schema_without(name: str, *definitions: str) -> dict[str, Any]:
    schema = json.loads(values_schema())
    for definition in definitions:
        here = schema["$defs"][definition] if definition else schema
        del here["properties"][name]
    return schema


def gap(name: str, *definitions: str) -> Gap:
    found = gap_of(SHAPE, schema_without(name, *definitions))
    assert found
    return found


def paths(values: ResolvedMap) -> set[str]:
    return {".".join(path) for path, _ in leaves_of(values)}


def unknown_keys(found: Gap | None, path: str = "") -> set[str]:
    """Every key that a gap names, as a path."""
    if found is None:
        return set()
    result = {f"{path}{key}" for key in found.unknown}
    for key, below in found.below.items():
        result |= unknown_keys(below, f"{path}{key}.")
    return result | unknown_keys(found.item, f"{path}*.")


def test_the_schema_of_this_very_code_lacks_nothing() -> None:
    assert unknown_keys(gap_of(SHAPE, json.loads(values_schema()))) == set()


def test_a_key_that_a_schema_has_not_is_unknown_everywhere_it_may_stand() -> None:
    assert unknown_keys(gap("workers", "Component", "ComponentSettings")) == {
        "defaults.roles.api.workers",
        "defaults.roles.runner.workers",
        "tracks.*.components.*.workers",
    }


def test_keys_are_compared_in_the_spelling_of_helm() -> None:
    assert unknown_keys(gap("maxReplicas", "Scaling")) >= {"tracks.*.components.*.scaling.max_replicas"}


def test_a_schema_that_leaves_a_map_open_knows_every_key_in_it() -> None:
    schema = schema_without("workers", "Component", "ComponentSettings")
    for name in ("Component", "ComponentSettings"):
        del schema["$defs"][name]["additionalProperties"]
    assert unknown_keys(gap_of(SHAPE, schema)) == set()


def test_a_value_that_the_chart_does_not_know_is_lacking_at_its_place() -> None:
    values = component("api", workers=leaf(4))
    kept, lacking = fitted(values, gap("workers", "Component"), newest())
    (one,) = lacking
    assert (one.path, one.found, one.known) == (("tracks", "blue", "components", "Api", "workers"), 4, False)
    assert one.leaf.source.place == Place("config.yaml", 7)
    assert paths(kept) == {"tracks.blue.components.Api.role"}


@pytest.mark.parametrize(("role", "default"), [("api", 1), ("runner", 2)])
def test_a_value_that_equals_the_newest_charts_default_has_no_effect(role: str, default: int) -> None:
    kept, lacking = fitted(component(role, workers=leaf(default)), gap("workers", "Component"), newest())
    assert lacking == []
    assert "tracks.blue.components.Api.workers" not in paths(kept)
    assert len(fitted(component(role, workers=leaf(3)), gap("workers", "Component"), newest())[1]) == 1


@pytest.mark.parametrize("nothing", ["", [], False, 0])
def test_an_empty_value_of_a_key_without_a_default_has_no_effect(nothing: Plain) -> None:
    assert fitted({"labels": leaf(nothing)}, gap("labels", ""), newest())[1] == []


def test_an_empty_value_where_the_newest_chart_has_a_default_has_an_effect() -> None:
    assert len(fitted({"mode": leaf("")}, gap("mode", ""), newest())[1]) == 1


def test_what_the_chart_itself_says_is_not_written_and_never_lacking() -> None:
    values = component("api", workers=leaf(9, "chart"))
    assert fitted(values, gap("workers", "Component"), newest())[1] == []


def test_every_leaf_below_an_unknown_map_is_lacking() -> None:
    values: ResolvedMap = {"routing": {"timeout": leaf("5s"), "hostnames": leaf(["a"])}, "mode": leaf("single")}
    kept, lacking = fitted(values, gap("routing", ""), newest())
    assert {one.path for one in lacking} == {("routing", "timeout"), ("routing", "hostnames")}
    assert paths(kept) == {"mode"}


def test_a_value_that_the_schema_does_not_list_is_lacking_though_its_key_is_known() -> None:
    schema = json.loads(values_schema())
    schema["properties"]["mode"]["enum"] = ["split"]
    found = gap_of(SHAPE, schema)
    kept, lacking = fitted({"mode": leaf("single")}, found, newest())
    assert [(one.path, one.found, one.known) for one in lacking] == [(("mode",), "single", True)]
    assert fitted({"mode": leaf("split")}, found, newest()) == ({"mode": leaf("split")}, [])
    assert paths(kept) == {"mode"}


def test_a_key_inside_the_items_of_a_list_is_found() -> None:
    tolerations = leaf([{"key": "gpu", "effect": "NoSchedule"}])
    values = component("api", placement={"tolerations": tolerations})
    (one,) = fitted(values, gap("effect", "Toleration"), newest())[1]
    assert (one.path[-1], one.found, one.known) == ("tolerations", {"effect": "NoSchedule"}, False)


def test_no_gap_leaves_the_values_as_they_are() -> None:
    values = component("api", workers=leaf(4))
    assert fitted(values, None, newest()) == (values, ())


def test_where_the_application_runs_is_lacking_in_no_chart_since_nobody_says_it_for_a_chart() -> None:
    values: ResolvedMap = {"monitoring": {"namespace": leaf("tickets-prod"), "operator": leaf(True)}}
    kept, lacking = fitted(values, gap("namespace", "ResolvedMonitoring"), newest())
    assert lacking == []
    assert paths(kept) == {"monitoring.operator"}
