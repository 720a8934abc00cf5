"""A live shift changes a route into what the chart would render for these weights, with every controller."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from bento_gitops.observing.held import LIVE
from bento_gitops.observing.live import Seen
from bento_gitops.observing.rerouting import BESIDE, NoRoute, Reroute, handed_back, last_writer, rerouted
from live_stand_in import merged
from routers import SPLITS, routed
from serving_chart import Map, Rendered, laid_over, two_tracks
from test_live_weights import seen_of

Render = Callable[..., Rendered]
BY_HEADER = {"gateway", "traefik", "istio"}


def rendered(render: Render, controller: str, green: int, **routing: Any) -> Rendered:
    above = {**routing, **({"canary": "green"} if controller == "nginx" else {})}
    if controller in BY_HEADER:
        above["rules"] = {"big": {"track": "green", "headers": {"x-tenant": ["acme", "globex"]}}}
    values: Any = two_tracks(tracks={"blue": {"weight": 100 - green}, "green": {"weight": green}})
    return render({**values, "routing": routed(controller, **above)})


def seen(objects: Rendered, controller: str) -> Seen:
    found = seen_of(objects, controller)
    return Seen(found.deployments, (), found.services, {**found.routes, BESIDE[3]: list(objects.all(BESIDE[3]))})


def shifted(objects: Rendered, controller: str, **weights: int) -> Reroute:
    return rerouted(seen(objects, controller), controller, "tickets", weights)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("before", "after"), [(25, 0), (0, 100), (100, 1), (25, 50)])
@pytest.mark.parametrize("controller", sorted(SPLITS))
def test_the_route_becomes_what_the_chart_renders_for_the_weights(
    render: Render, controller: str, before: int, after: int
) -> None:
    if controller == "none":
        before, after = (100 if weight else 0 for weight in (before, after))
    found = rendered(render, controller, before)
    wanted = rendered(render, controller, after)
    reroute = shifted(found, controller, blue=100 - after, green=after)
    changed = {one["metadata"]["name"]: one for one in found.all(reroute.of[3])}
    changed[reroute.name] = merged(changed[reroute.name], reroute.patch)
    expected = {one["metadata"]["name"]: one for one in wanted.all(reroute.of[3])}
    for name, one in changed.items():
        assert one.get("spec") == expected[name].get("spec"), name
        assert one["metadata"] == expected[name]["metadata"], name


def test_a_track_without_pods_has_no_place_in_the_route(render: Render) -> None:
    for controller in sorted(SPLITS.keys() - {"none"}):
        with pytest.raises(NoRoute, match=r"has no backend of track (red|violet)"):
            shifted(rendered(render, controller, 25), controller, blue=50, red=50)


def test_a_service_selects_one_track_and_no_share_of_it(render: Render) -> None:
    with pytest.raises(NoRoute, match="one track, all or nothing"):
        shifted(rendered(render, "none", 0), "none", blue=50, green=50)


def test_a_cookie_of_traefik_stays_where_it_is(render: Render) -> None:
    found = rendered(render, "traefik", 25, sticky={"cookie": "track"})
    reroute = shifted(found, "traefik", blue=100)
    after = merged(found.one("TraefikService", "tickets"), reroute.patch)
    assert after["spec"]["weighted"]["sticky"]["cookie"]["name"] == "track"


def test_a_patch_is_for_the_object_that_was_read(render: Render) -> None:
    found = rendered(render, "gateway", 25)
    route = laid_over(found.one("HTTPRoute", "tickets"), {"metadata": {"resourceVersion": "7"}})
    reroute = Reroute(("g", "v", "p", "k"), route, {"spec": {"rules": []}})
    assert reroute.annotated("{}") == {
        "spec": {"rules": []},
        "metadata": {"resourceVersion": "7", "annotations": {LIVE: "{}"}},
    }


def test_whoever_lets_go_gives_its_fields_up_and_nobody_else_s() -> None:
    argo: Map = {"manager": "argocd-controller", "operation": "Apply", "time": "2026-11-01T00:00:00Z"}
    own: Map = {"manager": "bento-gitops-live", "operation": "Update", "time": "2026-11-02T00:00:00Z"}
    gateway: Map = {"manager": "traefik", "operation": "Update", "subresource": "status", "time": "2026-11-03T00:00:00Z"}
    route: Map = {"metadata": {"name": "tickets", "resourceVersion": "3", "managedFields": [own, argo, gateway]}}
    assert handed_back(route)["metadata"] == {
        "resourceVersion": "3",
        "annotations": {LIVE: None},
        "managedFields": [argo, gateway],
    }
    assert last_writer(route) == "argocd-controller"
    alone: Map = {"metadata": {"name": "tickets", "managedFields": [own]}}
    assert "managedFields" not in json.dumps(handed_back(alone)), "an empty list would be everybody's"
