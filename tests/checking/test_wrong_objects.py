"""Each file in wrong/ breaks the rule that it is named for, and its first lines are the exact errors, all of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from bento_gitops.checking.application import Checker
from bento_gitops.checking.consistency import CHECKS
from bento_gitops.checking.rendered import Document
from bento_gitops.model.problem import Place

WRONG = sorted((Path(__file__).parent / "wrong").glob("*.yaml"))
ERROR = "# error: "


def documents(text: str) -> list[Document]:
    return [Document("app", "templates/it.yaml", part) for part in re.split(r"^---\n", text, flags=re.MULTILINE)]


@pytest.mark.parametrize("file", WRONG, ids=lambda file: file.stem)
def test_wrong_objects_are_told_with_place_found_and_advice(file: Path, checker: Checker) -> None:
    lines = file.read_text().splitlines(keepends=True)
    expected = [line.removeprefix(ERROR).rstrip("\n") for line in lines if line.startswith(ERROR)]
    outcome = checker.check(documents("".join(line for line in lines if not line.startswith(ERROR))))
    assert [str(finding.problem(Place("values.yaml"))) for finding in outcome.findings] == expected
    assert {finding.check for finding in outcome.findings} == {file.stem.partition(".")[0]}


def test_every_check_has_a_file_that_breaks_it_alone() -> None:
    named = {file.stem.partition(".")[0] for file in WRONG}
    assert named == {*CHECKS, "kubernetes-schema", "custom-resource-schema", "yaml"}
