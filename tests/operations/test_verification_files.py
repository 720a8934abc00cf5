"""What is wrong with the checks that people write is found with everything else, before anybody runs them."""

from __future__ import annotations

from pathlib import Path

import pytest
from bento_gitops.model.problem import InvalidInput
from bento_gitops.repository.files import WorkingTree
from bento_gitops.repository.fleet import Fleet

APP = "applications/support-tickets.yaml"
HEAD = "apiVersion: bento-gitops/v1\nkind: Verification\n"
CHECK = "  {name}: {{request: {{method: GET, path: /version}}, expect: {{status: 200}}}}\n"


def checks(*names: str) -> str:
    return HEAD + "checks:\n" + "".join(CHECK.format(name=name) for name in names)


@pytest.fixture
def named(fleet):
    fleet.put(APP, fleet.text(APP) + "verification: checks/tickets\n")
    return fleet


def line_of_verification(fleet) -> int:
    return fleet.text(APP).splitlines().index("verification: checks/tickets") + 1


def errors(fleet, wanted: str | None = None) -> list[str]:
    with pytest.raises(InvalidInput) as caught:
        fleet.render(wanted)
    return [str(problem) for problem in caught.value.problems]


def test_all_files_of_the_folder_make_the_checks_of_an_application(named) -> None:
    named.put("checks/tickets/b.yaml", checks("one", "two"))
    named.put("checks/tickets/a.yaml", checks("three"))
    named.put("checks/tickets/replay.jsonl", "{}\n")
    found = Fleet(WorkingTree(named.root)).checks("support-tickets")
    assert list(found) == ["three", "one", "two"]
    named.render()


def test_a_name_of_two_checks_is_an_error_that_names_both_places(named) -> None:
    named.put("checks/tickets/a.yaml", checks("one"))
    named.put("checks/tickets/b.yaml", checks("two", "one"))
    assert errors(named) == [
        "checks/tickets/b.yaml:5: checks.one: another file has a check of this name: checks/tickets/a.yaml:4; rename one of them"
    ]


def test_every_file_s_mistakes_are_told_at_once_and_with_those_of_other_kinds(named) -> None:
    named.put("checks/tickets/a.yaml", checks("one").replace("200", "2000"))
    named.put("checks/tickets/b.yaml", checks("two").replace("GET", "LOOK"))
    named.put("checks/tickets/c.yml", checks("three"))
    named.change("environments/dev/environment.yaml", "kind: Environment", "kind: Enviroment")
    found = "\n".join(errors(named))
    assert "checks/tickets/a.yaml:4: checks.one.expect.status: is too large (found 2000); write 599 or less" in found
    assert "checks/tickets/b.yaml:4: checks.two.request.method: is not one of what is allowed (found 'LOOK')" in found
    assert "checks/tickets/c.yml: no such file belongs here; call it checks/tickets/c.yaml" in found
    assert "environments/dev/environment.yaml" in found


def test_a_folder_without_checks_is_an_error_at_the_line_that_names_it(named) -> None:
    assert errors(named, "dev/support-tickets") == [
        f"{APP}:{line_of_verification(named)}: verification: there is no file NAME.yaml in this folder (found 'checks/tickets');"
        " write one (kind: Verification), or remove the line"
    ]


def test_checks_of_an_application_do_not_stand_in_the_way_of_another(named) -> None:
    for path in ("applications", "bundles", "environments/dev"):
        mine = named.path(f"{path}/support-tickets")
        for file in [*mine.rglob("*.yaml"), *mine.parent.glob(f"{mine.name}.yaml")]:
            text = file.read_text().replace("support-tickets", "other").replace("verification: checks/tickets\n", "")
            named.put(str(file.relative_to(named.root)).replace("support-tickets", "other"), text)
    assert set(named.render("dev/other")) == {"dev/other"}
    assert errors(named, "dev")


@pytest.mark.parametrize("folder", ["../outside", "/etc", "a/../../b", ".", "a//b", "checks/*"])
def test_a_folder_is_named_from_the_root_and_lies_in_the_repository(fleet, folder: str) -> None:
    fleet.put(APP, fleet.text(APP) + f'verification: "{folder}"\n')
    (found,) = errors(fleet, "dev")
    assert "verification: is" in found
    assert "write a folder of this repository" in found


def test_a_link_that_leads_out_of_the_repository_is_refused(named, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "a.yaml").write_text(checks("one"))
    named.path("checks").mkdir()
    named.path("checks/tickets").symlink_to(outside)
    assert errors(named) == [
        "checks/tickets/a.yaml: the path leaves the repository; name a file inside it, without links that lead out"
    ]


@pytest.mark.parametrize(
    ("line", "error"),
    [
        ("json: {classifications: {length: 1}}", "is not of the right form (found 'classifications'); write a JSON pointer"),
        ("json: {/a: {}}", "asks for nothing; say equals, min, max, length or matches"),
        ("json: {/a: {min: 2, max: 1}}", "no number is at least `min` and at most `max`; swap them"),
        ('json: {/a: {matches: "("}}', "is no regular expression"),
        ("json: {/a: {equal: 1}}", "no such key (found 'equal'); did you mean 'equals'?"),
        ("within: 0", "must be more than 0 (found 0); write seconds, like 0.5"),
    ],
)
def test_an_expectation_that_can_never_hold_or_always_holds_is_an_error(named, line: str, error: str) -> None:
    named.put("checks/tickets/a.yaml", checks("one").replace("status: 200", f"status: 200, {line}"))
    (found,) = errors(named)
    assert found.startswith("checks/tickets/a.yaml:4: checks.one.expect.")
    assert error in found
