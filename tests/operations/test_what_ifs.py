"""A what-if on several applications: it holds where its service exists, and must exist somewhere."""

from __future__ import annotations

import pytest
from bento_gitops.model.problem import InvalidInput
from bento_gitops.operations.render import render
from bento_gitops.repository.files import WorkingTree


def _with_another_application(fleet) -> None:
    """`other` in prod: its runner is called Ranker."""
    for path in ("bundles/{}/1.0.0.yaml", "environments/prod/{}/release.yaml"):
        fleet.put(path.format("other"), "")
    text = fleet.text("bundles/support-tickets/1.0.0.yaml").replace("application: support-tickets", "application: other")
    fleet.put("bundles/other/1.0.0.yaml", text.replace("EmbeddingRunner", "Ranker"))
    fleet.put("environments/prod/other/release.yaml", fleet.text("environments/dev/support-tickets/release.yaml"))


def test_a_what_if_holds_for_the_applications_that_have_the_service(fleet) -> None:
    _with_another_application(fleet)
    before = {str(one.target): one.text for one in render(WorkingTree(fleet.root), "prod")}
    after = {
        str(one.target): one.text
        for one in render(WorkingTree(fleet.root), "prod", ["services.Ranker.workers=2", "labels.owner=me"])
    }
    assert "      Ranker:" in after["prod/other"] and "workers: 2  # runtime" in after["prod/other"]
    assert "workers: 2  # runtime" not in after["prod/support-tickets"]
    assert all("owner: me  # runtime" in text for text in after.values())
    assert set(before) == set(after)
    for_one_bundle = ['bundles."1.0.0".services.Ranker.workers=2']
    assert "workers: 2  # runtime" in render(WorkingTree(fleet.root), "prod", for_one_bundle)[0].text


def test_a_what_if_for_a_service_that_no_application_has_is_an_error(fleet) -> None:
    _with_another_application(fleet)
    with pytest.raises(InvalidInput) as caught:
        render(WorkingTree(fleet.root), "prod", ["services.Rankr.workers=2"])
    assert str(caught.value) == (
        "--set services.Rankr.workers=2: services.Rankr: no such service in any target (found 'Rankr'); did you mean 'Ranker'?"
    )
