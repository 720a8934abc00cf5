"""What is read back from the objects in a cluster is what the values said, with every controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from bento_gitops.observing.live import ROUTES, Seen, observed_weights
from routers import SPLITS, routed
from serving_chart import Map, Rendered, laid_over, two_tracks

Render = Callable[..., Rendered]


def seen_of(objects: Rendered, controller: str) -> Seen:
    """As an API server would give them, taken by the Gateway."""
    routes: dict[str, list[Map]] = {}
    for _, _, _, kind in ROUTES[controller]:  # pyright: ignore[reportArgumentType]  (parametrized by its keys)
        routes[kind] = [taken(one) if kind == "HTTPRoute" else one for one in objects.all(kind)]
    return Seen((), (), tuple(objects.all("Service")), routes)


def taken(route: Map, generation: int = 3) -> Map:
    condition = {"type": "Accepted", "status": "True", "observedGeneration": generation}
    return laid_over(route, {"metadata": {"generation": 3}, "status": {"parents": [{"conditions": [condition]}]}})


@pytest.mark.parametrize("weight", [0, 1, 25, 100])
@pytest.mark.parametrize("controller", sorted(SPLITS))
def test_weights_read_back_are_those_of_the_values(render: Render, controller: str, weight: int) -> None:
    if controller == "none":
        weight = 100 if weight else 0  # nothing splits there: the chart refuses it, which has a test of its own
    values: Any = two_tracks(tracks={"blue": {"weight": 100 - weight}, "green": {"weight": weight}})
    objects = render({**values, "routing": routed(controller)})
    found = observed_weights(seen_of(objects, controller), controller, "tickets")  # pyright: ignore[reportArgumentType]
    assert found is not None
    assert {track: share for track, share in found.items() if share} == {
        track: share for track, share in {"blue": 100 - weight, "green": weight}.items() if share
    }


def test_a_route_that_the_gateway_has_not_taken_yet_has_no_weights(render: Render) -> None:
    objects = render(two_tracks())
    seen = seen_of(objects, "gateway")
    old = Seen((), (), seen.services, {"HTTPRoute": [taken(one, generation=2) for one in objects.all("HTTPRoute")]})
    assert observed_weights(old, "gateway", "tickets") is None
    assert observed_weights(Seen((), (), seen.services, {}), "gateway", "tickets") is None


def test_a_route_to_a_service_of_somebody_else_has_no_weights(render: Render) -> None:
    objects = render(two_tracks())
    seen = seen_of(objects, "gateway")
    others = tuple(one for one in objects.all("Service") if one["metadata"]["name"] != "tickets-green-tickets")
    assert observed_weights(Seen((), (), others, seen.routes), "gateway", "tickets") is None
