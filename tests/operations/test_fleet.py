"""Which files have a say in a target: what a fleet of files comes to, and every problem in them at once."""

from __future__ import annotations

import shutil

import pytest
from bento_gitops.model.problem import InvalidInput, ToolFailed
from bento_gitops.repository.files import WorkingTree, write_atomically
from bento_gitops.repository.fleet import Fleet


def _errors(fleet, wanted: str | None = None) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        fleet.render(wanted)
    return [str(problem) for problem in caught.value.problems]


def test_the_problems_of_several_files_and_applications_come_at_once(fleet) -> None:
    fleet.change("environments/prod/support-tickets/config.yaml", "min_replicas: 3", "min_replica: 3")
    fleet.change("environments/prod/support-tickets/overrides.yaml", "owner: ml-oncall", "owners: ml-oncall")
    fleet.change("environments/dev/environment.yaml", "controller: gateway", "controller: gatewy")
    fleet.put("environments/staging/support-tickets/config.yaml", "services: yes\n")
    assert _errors(fleet) == [
        "environments/dev/environment.yaml:6: routing.controller: is not one of what is allowed (found 'gatewy');"
        " use 'gateway', 'nginx', 'traefik', 'istio' or 'none'",
        "environments/prod/support-tickets/config.yaml:6: services.SupportTickets.scaling.min_replica: no such key"
        " (found 'min_replica'); did you mean 'min_replicas'?",
        "environments/prod/support-tickets/overrides.yaml:4: overrides[0].owner: is missing; add it",
        "environments/prod/support-tickets/overrides.yaml:6: overrides[0].owners: no such key (found 'owners');"
        " did you mean 'owner'?",
        "environments/staging/support-tickets/config.yaml:1: services: not every YAML reader takes this word for the same thing"
        ' (found yes); write "yes" for text, or a plain true, false or decimal number',
    ]


def test_nothing_is_written_while_one_target_is_wrong(fleet) -> None:
    fleet.change("environments/prod/support-tickets/config.yaml", "min_replicas: 3", "min_replicas: 13")
    assert len(_errors(fleet)) == 2
    assert fleet.generated() == {}


def test_a_broken_file_of_one_application_leaves_the_others_alone(fleet) -> None:
    fleet.change("environments/prod/support-tickets/config.yaml", "min_replicas: 3", "min_replicas: 13")
    assert set(fleet.render("dev")) == {"dev/support-tickets"}


def test_a_wrong_file_that_several_applications_share_is_told_once(fleet) -> None:
    fleet.change("applications/support-tickets.yaml", "owner: support-ml", "owner: support ml")
    assert len(_errors(fleet)) == 1


@pytest.mark.parametrize(
    ("wanted", "error"),
    [
        ("prd", "environments/prd: no such environment (found 'prd'); did you mean 'prod'?"),
        ("x/support-tickets", "environments/x: no such environment (found 'x'); use one of: dev, prod, staging"),
        (
            "prod/support-ticket",
            "environments/prod/support-ticket: no such application here (found 'support-ticket');"
            " did you mean 'support-tickets'?",
        ),
        (
            "prod/support-tickets/more",
            "environments/prod/support-tickets/more: no such application here (found 'support-tickets/more');"
            " did you mean 'support-tickets'?",
        ),
    ],
)
def test_an_unknown_target_is_an_error_with_the_nearest_name(fleet, wanted: str, error: str) -> None:
    assert _errors(fleet, wanted) == [error]


def test_an_environment_that_extends_another_has_its_defaults_and_config_but_not_its_release_or_overrides(fleet) -> None:
    fleet.put(
        "environments/prod-us/environment.yaml",
        "apiVersion: bento-gitops/v1\nkind: Environment\nextends: prod\nnamespace: us\ncluster: us\n"
        "routing: {controller: none}\n",
    )
    no_route = "apiVersion: bento-gitops/v1\nkind: Config\nrouting: {timeout: null}\n"
    fleet.put("environments/prod-us/support-tickets/config.yaml", no_route)
    fleet.put("environments/prod-us/support-tickets/release.yaml", fleet.text("environments/dev/support-tickets/release.yaml"))
    rendered = fleet.render("prod-us")["prod-us/support-tickets"]
    assert [track.track for track in rendered.tracks] == ["blue"]
    assert rendered.tracks[0].replicas == {"SupportTickets": "3-12", "EmbeddingRunner": "2-8", "ClassifierRunner": "1-8"}
    assert "controller: none" in rendered.text and "hostnames" not in rendered.text
    assert "  # runtime" not in rendered.text
    (one,) = fleet.explain("prod-us/support-tickets", "services.EmbeddingRunner.scaling.min_replicas")
    assert [said.place.file for said, _ in one.statements()] == [
        "environments/prod/support-tickets/config.yaml",
        "environments/prod/environment.yaml",
        "charts/bento-serving/values.yaml",
    ]


def test_an_environment_that_extends_another_has_its_rules_unless_it_says_its_own(fleet) -> None:
    prod, us, target = "environments/prod/environment.yaml", "environments/prod-us/environment.yaml", "prod-us/support-tickets"
    registries = "registries: [registry.example.com/ml]\n"
    fleet.change(prod, registries, f"{registries}image_pull_secrets: [pull]\n")
    start = "apiVersion: bento-gitops/v1\nkind: Environment\nextends: prod\nnamespace: us\ncluster: us\n"
    start += "routing: {controller: gateway, gateway: {name: g, namespace: g, pod_labels: {a: b}}}\n"
    fleet.put(us, start)
    fleet.put(f"environments/{target}/release.yaml", fleet.text("environments/prod/support-tickets/release.yaml"))
    pods = "tracks.green.components.SupportTickets.scaling.min_replicas"
    for path in ("monitoring.prometheus.namespace", "image_pull_secrets", pods):
        (one,) = fleet.explain(target, path)
        assert one.statements()[0][0].place.file == prod, path
    fleet.put(us, f"{start}registries: [elsewhere.example.com]\n")
    with pytest.raises(InvalidInput, match=r"takes images from elsewhere\.example\.com only .* environments/prod-us/"):
        fleet.render("prod-us")
    fleet.put(us, f"{start}live_min_replicas: 4\n")
    (one,) = fleet.explain(target, pods)
    assert (one.leaf.value, one.statements()[0][0].place.file) == (4, us)


def test_an_environments_own_config_wins_over_that_of_the_one_it_extends(fleet) -> None:
    fleet.change("environments/staging/environment.yaml", "cluster: staging-cluster", "cluster: c\nextends: prod")
    fleet.put(
        "environments/staging/support-tickets/config.yaml",
        "apiVersion: bento-gitops/v1\nkind: Config\nservices: {EmbeddingRunner: {scaling: {max_replicas: 5}}}\n",
    )
    (one,) = fleet.explain("staging/support-tickets", "services.EmbeddingRunner.scaling.max_replicas")
    assert [f"{said.place.file} {said.value}" for said, _ in one.statements()] == [
        "environments/staging/support-tickets/config.yaml 5",
        "environments/prod/support-tickets/config.yaml 8",
        "environments/staging/environment.yaml 2",
        "environments/prod/environment.yaml 8",
        "charts/bento-serving/values.yaml 1",
    ]


def test_an_environment_extends_one_that_there_is_and_one_level_only(fleet) -> None:
    fleet.change("environments/dev/environment.yaml", "namespace: tickets-dev", "namespace: tickets-dev\nextends: stagin")
    fleet.change("environments/staging/environment.yaml", "cluster: staging-cluster", "cluster: c\nextends: prod")
    fleet.change("environments/prod/environment.yaml", "cluster: prod-cluster", "cluster: c\nextends: prod")
    assert _errors(fleet) == [
        "environments/dev/environment.yaml:4: extends: no such environment (found 'stagin'); did you mean 'staging'?",
        "environments/prod/environment.yaml:5: extends: an environment extends one level only; 'prod' itself extends at"
        " environments/prod/environment.yaml:5 (found prod); extend its base",
        "environments/staging/environment.yaml:5: extends: an environment extends one level only; 'prod' itself extends at"
        " environments/prod/environment.yaml:5 (found prod); extend its base",
    ]


def test_a_bundle_must_be_what_its_path_says(fleet) -> None:
    shutil.copy(fleet.path("bundles/support-tickets/1.1.0.yaml"), fleet.path("bundles/support-tickets/1.0.0.yaml"))
    assert _errors(fleet, "dev") == [
        "bundles/support-tickets/1.0.0.yaml:4: tag: the file's path says '1.0.0' (found '1.1.0'); create the bundle anew"
    ]


def test_a_file_with_a_misspelled_name_is_an_error(fleet) -> None:
    fleet.put("environments/prod/support-tickets/overides.yaml", fleet.text("environments/prod/support-tickets/overrides.yaml"))
    fleet.put("environments/prod/support-tickets/config.yml", "")
    fleet.put("environments/prod/support-tickets/README.md", "what people write")
    with pytest.raises(InvalidInput) as raised:
        fleet.render()
    folder = "environments/prod/support-tickets"
    assert str(raised.value).splitlines() == [
        f"{folder}/config.yml: no such file belongs here (found 'config.yml'); did you mean 'config.yaml'?",
        f"{folder}/overides.yaml: no such file belongs here (found 'overides.yaml'); did you mean 'overrides.yaml'?",
    ]


def test_an_application_without_a_release_is_an_error_also_where_only_its_values_are_left(fleet) -> None:
    fleet.path("environments/dev/support-tickets/release.yaml").rename(fleet.path("environments/dev/support-tickets/relase.yaml"))
    with pytest.raises(InvalidInput) as raised:
        fleet.render()
    assert [line.partition(";")[0] for line in str(raised.value).splitlines()] == [
        "environments/dev/support-tickets/relase.yaml: no such file belongs here (found 'relase.yaml')",
        "environments/dev/support-tickets/release.yaml: the file is missing",
    ]


def test_missing_files_are_named(fleet) -> None:
    fleet.path("environments/dev/environment.yaml").unlink()
    fleet.path("environments/prod/support-tickets/release.yaml").unlink()
    fleet.path("environments/instance-types.yaml").unlink()
    fleet.path("bundles/support-tickets/1.0.0.yaml").unlink()
    assert _errors(fleet) == [
        "environments/dev/environment.yaml: the file is missing; write it (kind: Environment)",
        "environments/prod/support-tickets/release.yaml: the file is missing; write it (kind: Release)",
        "environments/staging/support-tickets/release.yaml:5: tracks.blue.bundle: there is no bundles/support-tickets/1.0.0.yaml"
        " (found '1.0.0'); did you mean '1.1.0'?",
    ]


def test_an_instance_type_without_the_file_of_them_is_an_error(fleet) -> None:
    fleet.path("environments/instance-types.yaml").unlink()
    assert "; write that file with this type" in _errors(fleet, "prod")[0]


def test_a_chart_whose_defaults_are_wrong_is_an_error(fleet) -> None:
    fleet.change("charts/bento-serving/values.yaml", "    runner:\n      workers: 1", '    runner:\n      workers: "1"')
    assert _errors(fleet, "dev") == [
        "charts/bento-serving/values.yaml:32: defaults.roles.runner.workers: must be a whole number (found '1');"
        " write digits alone"
    ]


def test_a_hostname_knows_the_application_and_the_environment_only(fleet) -> None:
    fleet.change("environments/dev/environment.yaml", "{application}.dev", "{app}.dev")
    assert _errors(fleet, "dev") == [
        "environments/dev/environment.yaml:8: routing.hostname: knows no such placeholder (found {app}.dev.example.com);"
        " use {application} and {environment}"
    ]


def test_a_gateway_must_be_named_where_the_controller_is_one(fleet) -> None:
    gateway = "  gateway: {name: public, namespace: gateways, listener: web, pod_labels: {app: gateway}}\n"
    fleet.change("environments/dev/environment.yaml", gateway, "")
    assert _errors(fleet, "dev") == [
        "environments/dev/environment.yaml:5: routing.gateway: is missing,"
        " and the controller is gateway (environments/dev/environment.yaml:6); name the Gateway, or use controller: none"
    ]


def test_a_file_that_links_out_of_the_repository_is_refused(fleet, tmp_path) -> None:
    outside = tmp_path / "elsewhere.yaml"
    outside.write_text(fleet.text("environments/dev/support-tickets/config.yaml"), "utf-8")
    link = fleet.path("environments/dev/support-tickets/config.yaml")
    link.unlink()
    link.symlink_to(outside)
    assert _errors(fleet) == [
        "environments/dev/support-tickets/config.yaml: the path leaves the repository;"
        " name a file inside it, without links that lead out"
    ]


def test_a_file_that_links_inside_the_repository_is_refused_as_it_is_in_a_commit(fleet) -> None:
    link = fleet.path("environments/staging/support-tickets/config.yaml")
    link.symlink_to("../../dev/support-tickets/config.yaml")
    assert _errors(fleet) == [
        "environments/staging/support-tickets/config.yaml: is a symbolic link; replace it by what it points to"
    ]


def test_a_folder_that_links_inside_the_repository_is_refused_and_no_environment(fleet) -> None:
    fleet.path("environments/prod-b").symlink_to("prod")
    assert "environments/prod-b: is a symbolic link; replace it by what it points to" in _errors(fleet)


def test_values_are_not_written_through_a_link_out_of_the_repository(fleet, tmp_path) -> None:
    outside = tmp_path / "elsewhere.yaml"
    outside.write_text("mine\n", "utf-8")
    fleet.path("environments/dev/support-tickets/values.yaml").symlink_to(outside)
    with pytest.raises(InvalidInput, match="the path leaves the repository"):
        fleet.render("dev")
    assert outside.read_text("utf-8") == "mine\n"


@pytest.mark.parametrize("path", ["../outside.yaml", "/etc/hosts", "environments/../../outside.yaml"])
def test_a_path_out_of_the_repository_is_neither_read_nor_written(fleet, path: str) -> None:
    with pytest.raises(InvalidInput):
        WorkingTree(fleet.root).read(path)
    with pytest.raises(InvalidInput):
        write_atomically(fleet.root, path, b"")


def test_a_write_of_the_same_bytes_leaves_the_file_alone(fleet) -> None:
    path = "environments/dev/support-tickets/values.yaml"
    assert write_atomically(fleet.root, path, b"a: 1\n")
    before = fleet.path(path).stat()
    assert not write_atomically(fleet.root, path, b"a: 1\n")
    assert (fleet.path(path).stat().st_ino, fleet.path(path).stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_a_write_that_fails_leaves_the_old_file_and_no_other(fleet, monkeypatch) -> None:
    from pathlib import Path

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    fleet.render("dev")
    before = fleet.generated()
    fleet.change("environments/dev/support-tickets/config.yaml", "memory: 1Gi", "memory: 3Gi")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(ToolFailed) as caught:
            fleet.render("dev")
    assert str(caught.value).startswith(
        "cannot write environments/dev/support-tickets/values.yaml: No space left on device; make the folder writable"
    )
    assert fleet.generated() == before
    assert {path.name for path in fleet.path("environments/dev/support-tickets").iterdir()} == {
        *("config.yaml", "release.yaml", "values.yaml")
    }


def test_the_environments_and_targets_are_found_in_order(fleet) -> None:
    found = Fleet(WorkingTree(fleet.root))
    assert found.environments() == ["dev", "prod", "staging"]
    assert [str(target) for target in found.targets()] == [
        "dev/support-tickets",
        "prod/support-tickets",
        "staging/support-tickets",
    ]
    assert [str(target) for target in found.chosen("prod")] == ["prod/support-tickets"]


def test_in_single_mode_the_pods_are_the_apis_alone(fleet) -> None:
    fleet.change("applications/support-tickets.yaml", "kind: Application\n", "kind: Application\nmode: single\n")
    (track,) = fleet.render("dev")["dev/support-tickets"].tracks
    assert track.replicas == {"SupportTickets": "1"}
