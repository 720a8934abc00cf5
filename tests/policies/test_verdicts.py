"""Every policy's resources judged without a cluster; `make test` prints the table."""

from __future__ import annotations

from bento_gitops.cli.console import table
from policy_cases import ROOT, folders


def test_every_resource_is_judged_as_its_policy_s_folder_says() -> None:
    rows: list[list[str]] = []
    wrong: list[str] = []
    for folder in folders(ROOT / "policies", ROOT / "policies/local", ROOT / "tests/policies/semantics"):
        if folder.policy.holds == "cluster":
            rows.append([folder.path.name, "cluster", "-", "-", "make parity"])
            continue
        said = {case.name: (folder.offline(case.body), list(case.expected)) for case in folder.cases}
        wrong += [
            f"{folder.path.name}/{name}: {found}, expected {wanted}" for name, (found, wanted) in said.items() if found != wanted
        ]
        good = sum(name.startswith("good/") for name in said)
        agree = sum(found == wanted for found, wanted in said.values())
        rows.append(
            [folder.path.name, folder.policy.holds, str(good), str(len(said) - good), f"{agree} of {len(said)} as expected"]
        )
    table(["POLICY", "HOLDS", "GOOD", "BAD", "JUDGED OFFLINE"], rows, right=["GOOD", "BAD"])
    assert not wrong, "\n".join(wrong)
    assert sum(int(row[3]) for row in rows if row[3] != "-") > 50
