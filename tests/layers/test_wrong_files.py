"""Every way to write a file wrongly: `wrong/<rule>.yaml` breaks the rule it is named for, `wrong/<rule>.txt` is the exact error.

A name that starts with `release-`, `bundle-`, ... is a file of that kind; all others are read as config.yaml.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from bento_gitops.layers.marked import parse
from bento_gitops.layers.reading import read
from bento_gitops.model.base import Model
from bento_gitops.model.bundle import Bundle
from bento_gitops.model.files import Application, ConfigFile, Environment, InstanceTypes, Overrides
from bento_gitops.model.problem import InvalidInput
from bento_gitops.model.release import Release

WRONG = sorted((Path(__file__).parent / "wrong").glob("*.yaml"))
KINDS: dict[str, type[Model]] = {
    "application-": Application,
    "bundle-": Bundle,
    "environment-": Environment,
    "instance-types-": InstanceTypes,
    "overrides-": Overrides,
    "release-": Release,
}


def _errors(path: Path) -> str:
    model = next((kind for prefix, kind in KINDS.items() if path.name.startswith(prefix)), ConfigFile)
    with pytest.raises(InvalidInput) as caught:
        read(path.read_bytes(), path.name, model)
    return f"{caught.value}\n"


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_wrong_file_gives_exactly_its_error(path: Path) -> None:
    assert _errors(path) == path.with_suffix(".txt").read_text(encoding="utf-8")


def test_every_expected_error_has_its_file() -> None:
    folder = Path(__file__).parent / "wrong"
    assert {path.stem for path in folder.iterdir()} == {path.stem for path in WRONG}
    assert len(WRONG) > 40


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_every_line_of_an_error_says_where_and_what_to_do(path: Path) -> None:
    for line in _errors(path).splitlines():
        assert line.startswith(f"{path.name}:"), line
        place, _, rest = line.partition(": ")
        assert place.removeprefix(f"{path.name}:").isdigit() or path.stat().st_size == 0 or path.name == "only-a-comment.yaml", (
            line
        )
        assert "; " in rest, line


def test_a_wide_file_is_not_a_deep_one() -> None:
    services = "".join(f"  S{number}: {{envs: {{A: [b]}}}}\n" for number in range(200))
    assert len(parse(f"services:\n{services}", "config.yaml").items) == 1
