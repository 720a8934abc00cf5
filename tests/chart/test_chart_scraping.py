"""What a real Prometheus has of an application after it scraped it through the chart's ServiceMonitor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from aiohttp import web
from http_servers import serving
from prometheus_server import Server, prometheus, scraped
from serving_chart import Map, Rendered, laid_over, tickets, two_tracks

WATCHED = {"monitoring": {"prometheus": {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}}}
OF_BENTOML = 'service_name="tickets",service_version="1.0.0",runner_name="Tickets"'


def requests(endpoint: str, count: int = 1, code: int = 200) -> str:
    labels = f'endpoint="{endpoint}",http_response_code="{code}",{OF_BENTOML}'
    return f"bentoml_service_request_total{{{labels}}} {count}\n"


EXPOSED = "".join(
    [
        "# TYPE bentoml_service_request_total counter\n",
        *(
            requests(path)
            for path in ("/classify", "/livez", "/readyz", "/healthz", "/schema.json", "/docs.json", "/", "/wp-login.php")
        ),
        requests("/classify/more"),
        requests("/v1xencode"),
        requests("/v1.encode"),
        "# TYPE bentoml_service_request_in_progress gauge\n",
        f'bentoml_service_request_in_progress{{endpoint="/classify",{OF_BENTOML}}} 2\n',
        f'bentoml_service_request_in_progress{{endpoint="/readyz",{OF_BENTOML}}} 7\n',
        "# TYPE bentoml_service_adaptive_batch_size_count counter\n",
        f'bentoml_service_adaptive_batch_size_count{{method_name="encode",worker_index="1",{OF_BENTOML}}} 3\n',
        "# TYPE bento_model_predictions_total counter\n",
        'bento_model_predictions_total{model="m",class="billing"} 5\n',
    ]
)


def application(**above: object) -> Map:
    """Two tracks, watched, whose embedder has a route with a dot in it."""
    apis = {"apis": {"encode": {"route": "/v1.encode"}}}
    dotted = {"tracks": {track: {"components": {"Embedder": apis}} for track in ("blue", "green")}, "environment": "prod"}
    return laid_over(two_tracks(application="tickets", **WATCHED), laid_over(dotted, above))


@contextmanager
def watched(rendered: Rendered, folder: Path, text: Callable[[str], str | None], **options: object) -> Iterator[Server]:
    """Prometheus over every workload; what each exposes is text by its name, and None is no answer of use."""
    with ExitStack() as stack:
        targets = []
        for deployment in rendered.all("Deployment"):
            name = deployment["metadata"]["name"]

            async def metrics(request: web.Request, name: str = name) -> web.Response:
                exposed = text(name) if request.path == "/metrics" else None
                return web.Response(status=500) if exposed is None else web.Response(text=exposed)

            targets.append(scraped(deployment, stack.enter_context(serving(metrics)).removeprefix("http://")))
        yield stack.enter_context(prometheus(folder, rendered.objects, targets, "200ms", **options))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def server(render: Callable[..., Rendered], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """An application of three components on two tracks that was scraped; the green embedder does not answer."""
    rendered = render(application())
    down = {"tickets-green-embedder"}
    with watched(rendered, tmp_path_factory.mktemp("scraped"), lambda name: None if name in down else EXPOSED) as running:
        running.until("count(up)", lambda found: found and found[0].value == 6, 20)
        running.until("count(bento_model_predictions_total)", lambda found: found and found[0].value == 5, 20)
        yield running


def test_every_series_says_whose_it_is(server: Server) -> None:
    whose = {"application": "tickets", "environment": "prod", "namespace": "tickets"}
    series = server.series()
    assert {found["__name__"] for found in series} >= {"up", "scrape_samples_scraped", "bentoml_service_request_total"}
    for found in series:
        assert whose.items() <= found.items()
        assert (found["role"], found["component"]) in {("api", "tickets"), ("runner", "embedder"), ("runner", "tokenizer")}
        assert (found["track"], found["bundle"]) in {("blue", "1.0.0"), ("green", "1.1.0")}
        assert found["pod"] == f"tickets-{found['track']}-{found['component']}-0"
        assert found["job"] == f"tickets-{found['track']}-{found['component']}"
        assert not {"service", "container"} & found.keys()
        assert not [label for label in found if label.startswith("exported_")]
        assert found.get("endpoint") != "http", "the port's name stands where the path belongs"


def test_a_component_that_cannot_be_scraped_is_down_under_its_own_labels(server: Server) -> None:
    (down,) = server.query("up == 0")
    assert (down.labels["track"], down.labels["component"], down.labels["role"]) == ("green", "embedder", "runner")


def test_requests_are_counted_for_declared_routes_and_for_nothing_else(server: Server) -> None:
    found = server.series('bentoml_service_request_total{track="blue",component="tickets"}')
    assert {one["endpoint"] for one in found} == {"/classify", "/v1.encode"}
    in_progress = server.series("bentoml_service_request_in_progress")
    assert {one["endpoint"] for one in in_progress} == {"/classify"}


def test_series_without_an_endpoint_stay(server: Server) -> None:
    for name in ("bentoml_service_adaptive_batch_size_count", "bento_model_predictions_total"):
        assert len(server.series(f'{name}{{track="blue"}}')) == 3


def test_a_pod_behind_two_services_is_scraped_once(render: Callable[..., Rendered], tmp_path: Path) -> None:
    rendered = render(tickets(application="tickets", **WATCHED, routing={"controller": "none"}))
    api = rendered.one("Deployment", "tickets-blue-tickets")["spec"]["template"]["metadata"]["labels"]
    selecting = [one["metadata"]["name"] for one in rendered.all("Service") if one["spec"]["selector"].items() <= api.items()]
    assert len(selecting) == 2
    with watched(rendered, tmp_path, lambda _name: EXPOSED) as server:
        found = server.until("up", lambda found: len(found) >= 3, 20)
        assert sorted(one.labels["component"] for one in found) == ["embedder", "tickets", "tokenizer"]


def test_another_application_is_not_scraped_along(render: Callable[..., Rendered], tmp_path: Path) -> None:
    ours, theirs = (render(tickets(application=name, **WATCHED)) for name in ("tickets", "invoices"))
    both = Rendered((*ours.objects, *(found for found in theirs.objects if found["kind"] != "ServiceMonitor")))
    with watched(both, tmp_path, lambda _name: EXPOSED) as server:
        found = server.until("up", lambda found: len(found) >= 3, 20)
        assert {one.labels["application"] for one in found} == {"tickets"}


def test_without_a_declared_route_no_path_is_kept(render: Callable[..., Rendered], tmp_path: Path) -> None:
    bare = tickets(application="tickets", **WATCHED)
    del bare["tracks"]["blue"]["components"]["Tickets"]["apis"]
    with watched(render(bare), tmp_path, lambda _name: EXPOSED) as server:
        server.until("bento_model_predictions_total", lambda found: len(found) == 3, 20)
        assert server.series("bentoml_service_request_total") == []


def folding(objects: tuple[Map, ...]) -> tuple[Map, ...]:
    """The same objects, but unknown endpoints become `other`."""

    def folded(found: Map) -> Map:
        if found["kind"] != "ServiceMonitor":
            return found
        fold = [{"sourceLabels": ["endpoint"], "regex": "/[^c].*", "targetLabel": "endpoint", "replacement": "other"}]
        endpoint = found["spec"]["endpoints"][0] | {"metricRelabelings": fold}
        return found | {"spec": found["spec"] | {"endpoints": [endpoint]}}

    return tuple(folded(found) for found in objects)


def test_folding_unknown_endpoints_into_one_name_would_count_wrong(render: Callable[..., Rendered], tmp_path: Path) -> None:
    """Why they are dropped: of the series that become one Prometheus takes a sample and throws the others away."""
    only = tickets(application="tickets", **WATCHED)["tracks"]["blue"] | {"components": {"Tickets": {"role": "api"}}}
    rendered = render(tickets(application="tickets", **WATCHED) | {"tracks": {"blue": only}})
    found = {"text": "# TYPE bentoml_service_request_total counter\n" + requests("/a.php", 500) + requests("/b.php", 40)}
    with watched(Rendered(folding(rendered.objects)), tmp_path, lambda _name: found["text"]) as server:
        other = 'bentoml_service_request_total{endpoint="other"}'
        (sample,) = server.until(other, bool, 20)
        assert sample.value in (500, 40), "a sum would be right: 540"
        # The next probe asks for a path that the exporter happens to list first: the counter falls, which reads as a restart.
        found["text"] = "# TYPE bentoml_service_request_total counter\n" + requests("/0.php", 3) + requests("/a.php", 501)
        server.until(other, lambda now: now and now[0].value == 3, 20)
        assert server.until(f"resets({other}[1m])", lambda now: now and now[0].value == 1, 20)
