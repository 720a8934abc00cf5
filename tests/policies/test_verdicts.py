"""Every policy's resources judged without a cluster; `make test` prints the table."""

from __future__ import annotations

from collections.abc import Callable

from policy_cases import ROOT, folders


def test_every_resource_is_judged_as_its_policy_s_folder_says(record_property: Callable[[str, object], None]) -> None:
    wrong: list[str] = []
    bad = 0
    for folder in folders(ROOT / "policies", ROOT / "policies/local", ROOT / "tests/policies/semantics"):
        if folder.policy.holds == "cluster":
            record_property("policy", f"{folder.path.name} | cluster | - | - | make parity")
            continue
        said = {case.name: (folder.offline(case.body), list(case.expected)) for case in folder.cases}
        wrong += [
            f"{folder.path.name}/{name}: {found}, expected {wanted}" for name, (found, wanted) in said.items() if found != wanted
        ]
        good = sum(name.startswith("good/") for name in said)
        agree = sum(found == wanted for found, wanted in said.values())
        bad += len(said) - good
        row = (folder.path.name, folder.policy.holds, good, len(said) - good, f"{agree} of {len(said)}")
        record_property("policy", " | ".join(map(str, row)))
    assert not wrong, "\n".join(wrong)
    assert bad > 50
