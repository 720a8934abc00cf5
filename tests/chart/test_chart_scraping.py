"""What a real Prometheus has of an application after it scraped it through the chart's ServiceMonitor."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import pytest
import yaml
from aiohttp import web
from http_servers import serving
from prometheus_server import Scraped, Server, prometheus, scraped
from serving_chart import ROOT, Map, Rendered, laid_over, tickets, two_tracks

WATCHED = {"monitoring": {"prometheus": {"namespace": "monitoring", "podLabels": {"app": "prometheus"}}}}
OF_BENTOML = 'service_name="tickets",service_version="1.0.0",runner_name="Tickets"'


def requests(endpoint: str, count: int = 1, code: int = 200) -> str:
    labels = f'endpoint="{endpoint}",http_response_code="{code}",{OF_BENTOML}'
    return f"bentoml_service_request_total{{{labels}}} {count}\n"


TYPE = "# TYPE bentoml_service_request_total counter\n"
EXPOSED = "".join(
    [
        TYPE,
        *map(requests, ("/classify", "/v1.encode", "/v1.encode/submit", "/v1.encode/more", "/classify/submit")),
        *map(requests, ("/v1xencode", "/", "/wp-login.php")),
        *map(requests, ("/livez", "/readyz", "/healthz", "/schema.json", "/docs.json")),
        "# TYPE bentoml_service_request_in_progress gauge\n",
        f'bentoml_service_request_in_progress{{endpoint="/classify",{OF_BENTOML}}} 2\n',
        f'bentoml_service_request_in_progress{{endpoint="/readyz",{OF_BENTOML}}} 7\n',
        "# TYPE bentoml_service_adaptive_batch_size_count counter\n",
        f'bentoml_service_adaptive_batch_size_count{{method_name="encode",worker_index="1",{OF_BENTOML}}} 3\n',
        "# TYPE bento_model_predictions_total counter\n",
        'bento_model_predictions_total{model="m",class="billing"} 5\n',
    ]
)


def split_by_weight() -> Map:
    """Two tracks whose embedder has a route with a dot in it, of a task on one of them."""
    dotted = {
        track: {"components": {"Embedder": {"apis": {"encode": {"route": "/v1.encode", **task}}}}}
        for track, task in (("blue", {}), ("green", {"task": True}))
    }
    return two_tracks(application="split", environment="prod", tracks=dotted, **WATCHED)


def without_routes() -> Map:
    """Nobody said where its api answers."""
    values = tickets(application="bare", **WATCHED)
    del values["tracks"]["blue"]["components"]["Tickets"]["apis"]
    return values


def folding(found: Map) -> Map:
    """A ServiceMonitor that gives unknown endpoints one name, where the chart drops them."""
    if found["kind"] != "ServiceMonitor":
        return found
    fold = {"sourceLabels": ["endpoint"], "regex": "/.*php", "targetLabel": "endpoint", "replacement": "other"}
    return laid_over(found, {"spec": {"endpoints": [found["spec"]["endpoints"][0] | {"metricRelabelings": [fold]}]}})


def job_of_the_docs(targets: list[Scraped]) -> Map:
    """What docs/monitoring.md tells people without the operator, for the routes here; pods stand where discovery would be."""
    text = (ROOT / "docs/monitoring.md").read_text().split("```yaml\n")[1].split("```")[0]
    (job,) = yaml.safe_load(text)["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod"}]
    regex = job["metric_relabel_configs"][0]["regex"].replace("/classify_ticket", "/classify")
    found = []
    for target in targets:
        meta = {"namespace": target.namespace, "pod_name": target.pod, "pod_phase": "Running", "pod_container_port_name": "http"}
        for label, value in target.labels.items():
            name = re.sub(r"[^a-zA-Z0-9_]", "_", label)
            meta |= {f"pod_label_{name}": value, f"pod_labelpresent_{name}": "true"}
        found.append({"targets": [target.address], "labels": {f"__meta_kubernetes_{key}": value for key, value in meta.items()}})
    metric = [job["metric_relabel_configs"][0] | {"regex": regex}]
    return job | {"scrape_interval": "200ms", "static_configs": found, "metric_relabel_configs": metric}


@dataclass(frozen=True)
class Watched:
    """A Prometheus over several applications, and what each workload exposes, by its name; None is no answer of use."""

    prometheus: Server
    exposed: dict[str, str | None]


@pytest.fixture(scope="module")
def watched(render: Callable[..., Rendered], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """One for all tests: it takes five seconds to the first scrape, whatever it scrapes."""
    applications = [
        render(split_by_weight()).objects,
        render(tickets(application="plain", routing={"controller": "none"}, **WATCHED)).objects,
        render(without_routes()).objects,
        tuple(map(folding, render(tickets(application="folding", **WATCHED)).objects)),
    ]
    by_hand = render(tickets(application="by-hand", monitoring=WATCHED["monitoring"] | {"operator": False})).objects
    objects = [found for each in (*applications, by_hand) for found in each if found["kind"] != "PrometheusRule"]
    pods = {found["metadata"]["name"]: found for found in objects if found["kind"] == "Deployment"}
    exposed: dict[str, str | None] = dict.fromkeys(pods, EXPOSED) | {"split-green-embedder": None}

    async def metrics(request: web.Request, name: str) -> web.Response:
        text = exposed[name] if request.path == "/metrics" else None
        return web.Response(status=500) if text is None else web.Response(text=text)

    with ExitStack() as stack:
        targets = []
        for name, deployment in pods.items():
            address = stack.enter_context(serving(partial(metrics, name=name)))
            targets.append(scraped(deployment, address.removeprefix("http://")))
        of_docs = job_of_the_docs([target for target in targets if target.pod.startswith("by-hand")])
        folder = tmp_path_factory.mktemp("watched")
        running = stack.enter_context(prometheus(folder, objects, targets, "200ms", jobs=[of_docs]))
        running.until("up", lambda found: len(found) == len(pods))
        running.until('bento_model_predictions_total{application!="folding"}', lambda found: len(found) == 14)
        yield Watched(running, exposed)


def test_every_series_says_whose_it_is(watched: Watched) -> None:
    series = watched.prometheus.series('{job=~"split-.*"}')
    assert {found["__name__"] for found in series} >= {"up", "scrape_samples_scraped", "bentoml_service_request_total"}
    for found in series:
        assert {"application": "split", "environment": "prod", "namespace": "tickets"}.items() <= found.items()
        assert (found["role"], found["component"]) in {("api", "tickets"), ("runner", "embedder"), ("runner", "tokenizer")}
        assert (found["track"], found["bundle"]) in {("blue", "1.0.0"), ("green", "1.1.0")}
        assert found["job"] == f"split-{found['track']}-{found['component']}"
        assert found["pod"] == f"{found['job']}-0"
        assert not {"service", "container"} & found.keys()
        assert not [label for label in found if label.startswith("exported_")]
        assert found.get("endpoint") != "http", "the port's name stands where the path belongs"


def test_an_application_without_an_environment_has_no_such_label(watched: Watched) -> None:
    assert len(watched.prometheus.query('up{application="plain",environment=""}')) == 3


def test_a_component_that_cannot_be_scraped_is_down_under_its_own_labels(watched: Watched) -> None:
    (down,) = watched.prometheus.query("up == 0")
    assert down.labels["application"] == "split"
    assert (down.labels["track"], down.labels["component"], down.labels["role"]) == ("green", "embedder", "runner")


def test_requests_are_counted_for_declared_routes_and_for_nothing_else(watched: Watched) -> None:
    found = watched.prometheus.series('bentoml_service_request_total{application="split",track="blue",component="tickets"}')
    assert {one["endpoint"] for one in found} == {"/classify", "/v1.encode", "/v1.encode/submit"}
    in_progress = watched.prometheus.series('bentoml_service_request_in_progress{application="split"}')
    assert {one["endpoint"] for one in in_progress} == {"/classify"}


def test_without_a_declared_route_no_path_is_kept(watched: Watched) -> None:
    assert watched.prometheus.series('bentoml_service_request_total{application="bare"}') == []


def test_series_without_an_endpoint_stay(watched: Watched) -> None:
    for name in ("bentoml_service_adaptive_batch_size_count", "bento_model_predictions_total"):
        assert len(watched.prometheus.series(f'{name}{{application="bare"}}')) == 3


def test_each_pod_is_scraped_once_and_by_its_own_application(watched: Watched) -> None:
    """The api of `plain` stands behind two Services: its track's, and the one that takes requests to the track with weight."""
    found = watched.prometheus.ask("targets", state="active")["activeTargets"]
    counted = Counter((target["scrapePool"], target["labels"]["application"]) for target in found)
    pods = {"split": 6, "plain": 3, "bare": 3, "folding": 3}
    by_hand = {("bento-serving", "by-hand"): 3}
    assert counted == {(f"serviceMonitor/{name}/0", name): number for name, number in pods.items()} | by_hand


def test_the_job_of_the_docs_gives_the_same_series_without_an_operator(watched: Watched) -> None:
    def of(application: str) -> list[dict[str, str]]:
        found = watched.prometheus.series(f'{{application="{application}"}}')
        apart = {"application", "instance", "job"}
        kept = [{key: value.replace(application, "APP") for key, value in one.items() if key not in apart} for one in found]
        return sorted(kept, key=str)

    assert of("by-hand") == of("plain")
    assert len(of("plain")) > 20


def test_folding_unknown_endpoints_into_one_name_would_count_wrong(watched: Watched) -> None:
    """Why they are dropped: of the series that become one Prometheus takes a sample and throws the others away."""
    other = 'bentoml_service_request_total{endpoint="other",pod="folding-blue-tickets-0"}'
    watched.exposed["folding-blue-tickets"] = TYPE + requests("/a.php", 500) + requests("/b.php", 40)
    (sample,) = watched.prometheus.until(other, lambda found: found and found[0].value != 1)
    assert sample.value == 500, "a sum would be right: 540"
    # The next stranger asks for a path that stands before the others: the counter falls, which reads as a restart.
    watched.exposed["folding-blue-tickets"] = TYPE + requests("/0.php", 3) + requests("/a.php", 500) + requests("/b.php", 40)
    watched.prometheus.until(other, lambda found: found and found[0].value == 3)
    watched.prometheus.until(f"resets({other}[1m])", lambda found: found and found[0].value == 1)


@pytest.mark.parametrize("monitoring", [{}, {"operator": False, **WATCHED["monitoring"]}, {"labels": {"release": "prometheus"}}])
def test_nobody_watches_without_a_prometheus_or_its_operator(render: Callable[..., Rendered], monitoring: Map) -> None:
    assert not list(render(tickets(monitoring=monitoring)).all("ServiceMonitor"))


def test_labels_by_which_prometheus_picks_win_over_people_s_own(render: Callable[..., Rendered]) -> None:
    monitoring = WATCHED["monitoring"] | {"labels": {"release": "prometheus", "team": "platform"}, "scrapeInterval": "30s"}
    rendered = render(tickets(application="tickets", monitoring=monitoring, labels={"team": "support", "owner": "ml"}))
    monitor = rendered.one("ServiceMonitor", "tickets")
    labels = monitor["metadata"]["labels"]
    assert {
        "release": "prometheus",
        "team": "platform",
        "owner": "ml",
        "bento-gitops/application": "tickets",
    }.items() <= labels.items()
    assert monitor["spec"]["endpoints"][0]["interval"] == "30s"


@pytest.mark.parametrize(("timeout", "last"), [(30, 120.5), (0.5, 120.5), (120, 120.5), (299.5, 300.5), (600, 600.5)])
def test_durations_are_counted_in_buckets_up_to_what_a_request_may_take(
    render: Callable[..., Rendered], timeout: float, last: float
) -> None:
    slow = {"blue": {"components": {"Embedder": {"traffic": {"timeout": timeout}, "termination": {"gracePeriodSeconds": 900}}}}}
    services = render(tickets(tracks=slow)).configuration("tickets-blue-embedder")
    duration = services["Embedder"]["metrics"]["duration"]
    assert duration == {"min": 0.002, "factor": 1.25, "max": last}
    assert all(isinstance(bound, float) for bound in duration.values()), "BentoML refuses whole numbers"
    assert "metrics" not in services["Tokenizer"], "what is called has nothing to count here"
