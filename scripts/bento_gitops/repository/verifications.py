"""The checks of an application's answers, out of all files of the folder that its own file names."""

from __future__ import annotations

from collections.abc import Mapping

from bento_gitops.layers.marked import place_of
from bento_gitops.layers.reading import Read, read
from bento_gitops.model.files import Application
from bento_gitops.model.problem import InvalidInput, Place, Problem
from bento_gitops.model.verification import Check, VerificationFile
from bento_gitops.repository.files import Tree


def checks_of(tree: Tree, application: Read[Application]) -> Mapping[str, Check]:
    """By name, in the order of files and of what stands in each; none where the application names no folder.

    Raises InvalidInput with all that is wrong with any of the files.
    """
    folder = application.value.verification
    if folder is None:
        return {}
    place = place_of(application.tree, "verification")
    files = tree.glob(f"{folder}/*.yaml")
    # A name that nobody reads would be passed over in silence.
    problems = [
        Problem(Place(file), "", "no such file belongs here", "", f"call it {file[:-4]}.yaml")
        for file in tree.glob(f"{folder}/*.yml")
    ]
    if not files and not problems:
        wrong, todo = "there is no file NAME.yaml in this folder", "write one (kind: Verification), or remove the line"
        raise InvalidInput([Problem(place, "verification", wrong, f"'{folder}'", todo)])
    checks: dict[str, Check] = {}
    places: dict[str, Place] = {}
    for file in files:
        try:
            found = read(tree.read(file), file, VerificationFile)
        except InvalidInput as error:
            problems += error.problems
            continue
        for name, check in found.value.checks.items():
            here = place_of(found.tree, "checks", name)
            if name in places:
                wrong = f"another file has a check of this name: {places[name]}"
                problems.append(Problem(here, f"checks.{name}", wrong, "", "rename one of them"))
            checks[name] = check
            places[name] = here
    if problems:
        raise InvalidInput(problems)
    return checks
