"""An environment pins a release of the chart: its values, objects and explanations come from that one."""

from __future__ import annotations

import re
import shutil

import pytest
from bento_gitops.layers.merging import value_at
from bento_gitops.model.layout import CHART, released_chart
from bento_gitops.model.problem import InvalidInput
from bento_gitops.operations.manifests import render_objects
from bento_gitops.operations.render import render
from bento_gitops.operations.validate import validate
from bento_gitops.repository.charts import Charts, on_disk
from bento_gitops.repository.files import OverlayTree, WorkingTree
from bento_gitops.repository.fleet import Fleet
from chart_releases import ROOT, add_real_chart, add_real_release, add_release, without

PROD = "prod/support-tickets"
PROD_FILE = "environments/prod/environment.yaml"
CONFIG = f"environments/{PROD}/config.yaml"


def pin(fleet, environment: str, version: str) -> None:
    path = f"environments/{environment}/environment.yaml"
    fleet.put(path, fleet.text(path) + f"chart: {{version: {version}}}\n")


def errors(fleet, wanted: str | None = None) -> list[str]:
    with pytest.raises(InvalidInput) as raised:
        render(WorkingTree(fleet.root), wanted)
    return [str(problem) for problem in raised.value.problems]


def test_the_lowest_layer_of_an_environment_is_the_chart_that_it_pins(fleet) -> None:
    old = add_release(fleet.root, "0.1.0")
    values = (old / "values.yaml").read_text()
    (old / "values.yaml").write_text(values.replace("gracePeriodSeconds: 60", "gracePeriodSeconds: 77"))
    pin(fleet, "prod", "0.1.0")
    path = ("tracks", "blue", "components", "SupportTickets", "termination", "grace_period_seconds")
    assert value_at(fleet.values(PROD), *path) == 77
    assert value_at(fleet.values("dev/support-tickets"), *path) == 60
    (told,) = fleet.explain(PROD, ".".join(path))
    assert told.leaf.source.place.file == "charts/releases/bento-serving/0.1.0/values.yaml"


def test_without_a_pin_an_environment_runs_the_chart_as_it_is_now(fleet) -> None:
    add_release(fleet.root, "0.1.0")
    opened = Fleet(WorkingTree(fleet.root))
    assert opened.chart_folder("prod") == CHART
    pin(fleet, "prod", "0.1.0")
    opened = Fleet(WorkingTree(fleet.root))
    assert {name: opened.chart_folder(name) for name in opened.environments()} == {
        "dev": CHART,
        "prod": released_chart("0.1.0"),
        "staging": CHART,
    }


def test_a_pin_of_a_release_that_is_not_there_names_those_that_are(fleet) -> None:
    pin(fleet, "prod", "0.1.1")
    line = fleet.text(PROD_FILE).count("\n")
    missing = f"{PROD_FILE}:{line}: chart.version: there is no charts/releases/bento-serving/0.1.1 (found '0.1.1'); "
    assert errors(fleet) == [f"{missing}make it with `bento-gitops chart release`"]
    add_release(fleet.root, "0.1.0")
    add_release(fleet.root, "0.10.0")
    assert errors(fleet) == [f"{missing}did you mean '0.1.0'?"]


def test_a_pin_is_checked_where_nothing_runs_yet(fleet) -> None:
    fleet.put("environments/qa/environment.yaml", fleet.text(PROD_FILE) + "chart: {version: 0.1.0}\n")
    assert [error.partition(": ")[2][:13] for error in errors(fleet)] == ["chart.version"]


@pytest.mark.parametrize("version", ["1.2", "v1.2.3", "01.2.3", "1.2.3+build", "latest", "../../x", "1.2.3-01"])
def test_a_pin_that_is_no_version_is_refused(fleet, version: str) -> None:
    fleet.put(PROD_FILE, fleet.text(PROD_FILE) + f'chart: {{version: "{version}"}}\n')
    (error,) = errors(fleet, "prod")
    assert error.endswith(f"chart.version: is not of the right form (found '{version}'); write a semantic version, like 1.4.0")


def test_a_setting_that_the_pinned_chart_lacks_is_an_error_at_its_line_naming_the_version_that_has_it(fleet) -> None:
    add_release(fleet.root, "0.1.0", without("batching", "ResolvedApi"))
    add_release(fleet.root, "0.2.0", without("batching", "ResolvedApi"))
    add_release(fleet.root, "0.3.0")
    add_release(fleet.root, "0.4.0")
    pin(fleet, "prod", "0.1.0")
    line = 1 + fleet.text(CONFIG).splitlines().index("    apis: {encode: {batching: {max_batch_size: 64}}}")
    found = [error for error in errors(fleet, "prod") if error.startswith(CONFIG)]
    assert found == [
        f"{CONFIG}:{line}: services.EmbeddingRunner.apis.encode.batching.max_batch_size.value: the chart 0.1.0 that prod pins "
        "knows no such value (found 64); 0.3.0 does; pin it first: `bento-gitops chart pin prod 0.3.0`"
    ]
    render(WorkingTree(fleet.root), "dev")


def test_where_no_release_has_the_setting_the_error_asks_for_one(fleet) -> None:
    add_release(fleet.root, "0.1.0", without("secrets", "Component"))
    pin(fleet, "prod", "0.1.0")
    (error,) = errors(fleet)
    assert error.endswith("charts/bento-serving does; release it and pin that: `bento-gitops chart release VERSION`")


def test_a_value_that_is_new_in_a_known_setting_is_an_error_at_its_line(fleet) -> None:
    def narrow(schema) -> None:
        schema["$defs"]["ResolvedRouting"]["properties"]["controller"]["enum"] = ["none"]

    add_release(fleet.root, "0.1.0", narrow)
    pin(fleet, "prod", "0.1.0")
    (error,) = errors(fleet)
    assert error.startswith(
        f"{PROD_FILE}:6: routing.controller: the chart 0.1.0 that prod pins does not know this value (found 'gat"
    )


def test_a_setting_without_an_effect_is_left_out_for_a_chart_that_lacks_it(fleet) -> None:
    add_release(fleet.root, "0.1.0", without("timeout", "Traffic"))
    pin(fleet, "dev", "0.1.0")
    # The bundle says a timeout of 10 to the api: that has an effect.
    assert {error.partition(":")[0] for error in errors(fleet, "dev")} == {"bundles/support-tickets/1.0.0.yaml"}
    bundle = "bundles/support-tickets/1.0.0.yaml"
    fleet.put(bundle, re.sub(r"timeout: \d+", "timeout: 30", fleet.text(bundle)))
    (one,) = render(WorkingTree(fleet.root), "dev")
    assert "maxConcurrency" in one.text
    assert "timeout" not in one.text


def test_a_chart_from_before_tasks_takes_every_bundle_without_one(fleet) -> None:
    add_release(fleet.root, "0.1.0", without("task", "ResolvedApi"))
    pin(fleet, "dev", "0.1.0")
    (one,) = render(WorkingTree(fleet.root), "dev")
    assert "/classify_ticket" in one.text
    # With one it would leave the task's own paths unreachable, so that is no chart for it.
    bundle = "bundles/support-tickets/1.0.0.yaml"
    text = fleet.text(bundle).replace("{route: /classify_ticket}", "{route: /classify_ticket, task: true}")
    fleet.put(bundle, text)
    line = 1 + next(number for number, each in enumerate(text.splitlines()) if "task: true" in each)
    (error,) = errors(fleet, "dev")
    assert error.startswith(
        f"{bundle}:{line}: services.SupportTickets.apis.classify_ticket.task: the chart 0.1.0 that dev pins knows no such value"
    )


def test_defaults_of_a_release_that_no_model_knows_any_more_hold_as_the_chart_has_them(fleet) -> None:
    old = add_release(fleet.root, "0.1.0")
    values = (old / "values.yaml").read_text()
    (old / "values.yaml").write_text(values.replace("      workers: 1\n", "      workers: 1\n      forgotten: {since: 2}\n"))
    pin(fleet, "prod", "0.1.0")
    assert "forgotten" not in render(WorkingTree(fleet.root), "prod")[0].text
    layer = Charts(WorkingTree(fleet.root)).layer(released_chart("0.1.0"))
    assert [pointer for _, pointer in layer.unknown] == ["defaults.roles.api.forgotten", "defaults.roles.runner.forgotten"]
    # The same in the chart as it is now is a mistake of whoever edits it.
    shutil.copy(old / "values.yaml", fleet.root / CHART / "values.yaml")
    assert "defaults.roles.api.forgotten: no such key" in errors(fleet, "staging")[0]


def test_a_release_whose_defaults_are_of_another_type_asks_for_another_version(fleet) -> None:
    old = add_release(fleet.root, "0.1.0")
    values = (old / "values.yaml").read_text()
    (old / "values.yaml").write_text(values.replace("minReplicas: 1", "minReplicas: one", 1))
    pin(fleet, "prod", "0.1.0")
    (error,) = errors(fleet)
    assert error.startswith("charts/releases/bento-serving/0.1.0/values.yaml:22: defaults.roles.api.scaling.minReplicas: must be")
    assert error.endswith("a release never changes: pin another version, or work with the bento-gitops that this one came with")


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_release_without_a_schema_is_no_chart_to_pin(fleet, text: str | None) -> None:
    schema = add_release(fleet.root, "0.1.0") / "values.schema.json"
    schema.unlink()
    if text is not None:
        schema.write_text(text)
    pin(fleet, "prod", "0.1.0")
    (error,) = errors(fleet)
    assert error.startswith("charts/releases/bento-serving/0.1.0/values.schema.json: ")


def region(fleet) -> None:
    """`us` extends prod."""
    text = fleet.text(PROD_FILE).replace("kind: Environment\n", "kind: Environment\nextends: prod\n")
    fleet.put("environments/us/environment.yaml", text)
    fleet.put(f"environments/us/{PROD.partition('/')[2]}/release.yaml", fleet.text(f"environments/{PROD}/release.yaml"))


def test_an_environment_does_not_inherit_a_pin_and_may_not_be_left_without_one(fleet) -> None:
    add_release(fleet.root, "0.1.0")
    region(fleet)
    render(WorkingTree(fleet.root), "us")
    pin(fleet, "prod", "0.1.0")
    (error,) = errors(fleet)
    assert error == (
        f"environments/us/environment.yaml:3: chart: prod, which it extends, pins a chart ({PROD_FILE}:18) and this environment "
        "does not; a pin is not inherited; pin one: `bento-gitops chart pin us 0.1.0`"
    )
    pin(fleet, "us", "0.1.0")
    assert {one.chart for one in render(WorkingTree(fleet.root), None) if one.target.environment == "us"} == {
        released_chart("0.1.0")
    }


def test_values_for_a_chart_that_lacks_settings_are_the_same_bytes_each_time(fleet) -> None:
    add_release(fleet.root, "0.1.0", without("timeout", "ResolvedRouting"))
    fleet.change(CONFIG, "routing: {timeout: 20s}\n", "")
    pin(fleet, "prod", "0.1.0")
    first = fleet.render()[PROD]
    assert fleet.render()[PROD].changed is False
    assert first.chart == released_chart("0.1.0")


@pytest.fixture
def real(fleet):
    """The fleet with the real chart, and a release of it whose Deployments have an annotation of their own."""
    add_real_chart(fleet.root)
    shutil.copytree(ROOT / "schemas", fleet.root / "schemas", dirs_exist_ok=True)
    old = add_real_release(fleet.root, "0.0.9")
    names = old / "templates/_labels.tpl"
    names.write_text(names.read_text().replace('"app.kubernetes.io/managed-by" "Helm"', '"app.kubernetes.io/managed-by" "Old"'))
    pin(fleet, "prod", "0.0.9")
    return fleet


def managers(documents) -> set[str]:
    return {line.partition(": ")[2] for document in documents for line in document.text.splitlines() if "managed-by" in line}


def test_two_versions_of_the_chart_render_side_by_side_each_with_its_own_templates(real) -> None:
    rendered = render(WorkingTree(real.root), None)
    charts = {str(one.target): real.root / one.chart for one in rendered}
    done = render_objects({str(one.target): one.text for one in rendered}, charts, "helm", "1.37")
    assert done.refusals == {}
    assert {key: managers(documents) for key, documents in done.documents.items()} == {
        "dev/support-tickets": {"Helm"},
        "prod/support-tickets": {"Old"},
        "staging/support-tickets": {"Helm"},
    }


def test_validate_checks_each_application_with_its_own_chart(real) -> None:
    assert validate(real.root, None).problems == ()
    service = real.root / released_chart("0.0.9") / "templates/track/service.yaml"
    service.write_text(service.read_text().replace("kind: Service\n", "kind: Servce\n"))
    problems = validate(real.root, None).problems
    assert problems
    assert all(problem.place.file.startswith(f"environments/{PROD}/") for problem in problems)


def test_a_chart_of_another_tree_is_written_out_for_helm(fleet, tmp_path) -> None:
    add_release(fleet.root, "0.1.0")
    folder = released_chart("0.1.0")
    tree = WorkingTree(fleet.root)
    assert on_disk(tree, folder, tmp_path / "scratch") == fleet.root / folder
    changed = OverlayTree(tree, {f"{folder}/templates/deep/one.yaml": b"kind: X\n", f"{folder}/values.schema.json": None})
    there = on_disk(changed, folder, tmp_path / "scratch")
    files = {path.relative_to(there).as_posix() for path in there.rglob("*") if path.is_file()}
    assert files == {"Chart.yaml", "values.yaml", "templates/deep/one.yaml"}
    assert (there / "templates/deep/one.yaml").read_bytes() == b"kind: X\n"
