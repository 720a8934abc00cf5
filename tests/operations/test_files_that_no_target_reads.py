"""Files that nothing refers to are read as well: a misspelled name or a broken file is an error, not silence."""

from __future__ import annotations

import shutil

import pytest
from bento_gitops.model.problem import InvalidInput


def _errors(fleet, wanted: str | None = None) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        fleet.render(wanted)
    return [str(problem) for problem in caught.value.problems]


def test_a_file_that_nobody_refers_to_is_known_by_its_name_or_an_error(fleet) -> None:
    fleet.put("applications/support-ticket.yaml", fleet.text("applications/support-tickets.yaml"))
    fleet.put("applications/support-tickets.yml", "")
    fleet.put("environments/instance-typess.yaml", "")
    fleet.put("environments/e3/environment.yml", "")
    fleet.put("environments/e4/environment.yaml", "kind: Environment\n")
    fleet.put("environments/README.md", "what people write")
    assert [line for line in _errors(fleet) if "is missing" not in line] == [
        "applications/support-ticket.yaml: no environment runs such an application, and it has no bundles"
        " (found 'support-ticket'); did you mean 'support-tickets'?",
        "applications/support-tickets.yml: no such file belongs here (found 'support-tickets.yml');"
        " did you mean 'support-tickets.yaml'?",
        "environments/e3/environment.yml: no such file belongs here (found 'environment.yml'); did you mean 'environment.yaml'?",
        "environments/instance-typess.yaml: no such file belongs here (found 'instance-typess.yaml');"
        " did you mean 'instance-types.yaml'?",
    ]
    assert "environments/e4/environment.yaml:1: apiVersion: is missing; add it" in _errors(fleet, "e4")
    assert len(_errors(fleet, "e3")) == 1
    assert set(fleet.render("dev")) == {"dev/support-tickets"}


def test_an_environment_where_nothing_runs_yet_extends_one_that_there_is(fleet) -> None:
    text = fleet.text("environments/dev/environment.yaml").replace("cluster:", "extends: deev\ncluster:")
    fleet.put("environments/e5/environment.yaml", text)
    assert _errors(fleet) == [
        "environments/e5/environment.yaml:4: extends: no such environment (found 'deev'); did you mean 'dev'?"
    ]


def test_an_application_that_runs_nowhere_yet_is_read_too(fleet) -> None:
    shutil.copytree(fleet.path("bundles/support-tickets"), fleet.path("bundles/summaries"))
    text = fleet.text("applications/support-tickets.yaml")
    fleet.put("applications/summaries.yaml", text)
    assert len(fleet.render()) == 3
    fleet.put("applications/summaries.yaml", text.replace("labels:", "lables:"))
    assert _errors(fleet) == ["applications/summaries.yaml:3: lables: no such key (found 'lables'); did you mean 'labels'?"]


def test_a_folder_has_a_name_that_a_cluster_takes(fleet) -> None:
    for folder in ("environments/prod/9lives", "environments/Prod_2/support-tickets"):
        fleet.put(f"{folder}/release.yaml", fleet.text("environments/dev/support-tickets/release.yaml"))
    names = [line for line in _errors(fleet) if "folder's name" in line]
    assert names == [
        "environments/Prod_2: the folder's name is no name in a cluster (found 'Prod_2');"
        " write lower-case letters, digits and hyphens, like ticket-api",
        "environments/prod/9lives: the folder's name is no name in a cluster (found '9lives');"
        " write lower-case letters, digits and hyphens, a letter first: it names a Service",
    ]
