"""The story of one value: a new default in the code reaches dev alone, and each layer above wins over it in turn."""

from __future__ import annotations

BUNDLE = "bundles/support-tickets/1.2.0.yaml"
CONFIG = "environments/dev/support-tickets/config.yaml"
OVERRIDES = "environments/dev/support-tickets/overrides.yaml"
CODE = "    traffic: {timeout: 10, max_concurrency: 64}\n    apis:\n      encode:"
PATH = "services.EmbeddingRunner.traffic.max_concurrency"


def _new_bundle(fleet) -> None:
    """What building the changed code and `bundle create` leave behind."""
    text = fleet.text("bundles/support-tickets/1.1.0.yaml").replace("1.1.0", "1.2.0")
    assert text.count(CODE) == 1
    fleet.put(BUNDLE, text.replace(CODE, CODE.replace("max_concurrency: 64", "max_concurrency: 96")))


def _where(fleet) -> list[str]:
    (one,) = fleet.explain("dev/support-tickets", PATH)
    found = [f"{said.layer} {said.place} {said.value} {what}" for said, what in one.statements()]
    for said, _ in one.statements():
        # What explain names is what stands there.
        assert f"max_concurrency: {said.value}" in fleet.text(said.place.file).splitlines()[said.place.line - 1]
    return found


def _lines(fleet) -> list[str]:
    return [line.strip() for line in fleet.generated()["dev/support-tickets"].splitlines() if "maxConcurrency" in line]


def test_a_default_of_the_code_reaches_where_its_bundle_runs_and_each_layer_wins_over_it_in_turn(fleet) -> None:
    fleet.render()
    before = fleet.generated()
    old = "maxConcurrency: 64  # decorator"
    assert _lines(fleet) == [old, old, old]

    _new_bundle(fleet)
    assert not any(one.changed for one in fleet.render().values()), "a bundle that nothing runs changes nothing"

    fleet.change("environments/dev/support-tickets/release.yaml", 'bundle: "1.0.0"', 'bundle: "1.2.0"')
    assert [target for target, one in fleet.render().items() if one.changed] == ["dev/support-tickets"]
    assert _lines(fleet) == [old, "maxConcurrency: 96  # decorator", old]
    assert _where(fleet) == [f"decorator {BUNDLE}:24 96 in force"]

    fleet.change(CONFIG, "resources: {memory: 1Gi}", "resources: {memory: 1Gi}\n    traffic: {max_concurrency: 80}")
    assert [target for target, one in fleet.render().items() if one.changed] == ["dev/support-tickets"]
    assert _lines(fleet) == [old, "maxConcurrency: 80  # environment", old]
    assert _where(fleet) == [f"environment {CONFIG}:6 80 in force", f"decorator {BUNDLE}:24 96 hidden"]

    fleet.put(
        OVERRIDES,
        "apiVersion: bento-gitops/v1\nkind: Overrides\noverrides:\n"
        "  - config: {services: {EmbeddingRunner: {traffic: {max_concurrency: 72}}}}\n"
        "    reason: a slow node\n    owner: ml-oncall\n    expires: 2026-12-01T00:00:00Z\n",
    )
    assert [target for target, one in fleet.render().items() if one.changed] == ["dev/support-tickets"]
    assert _lines(fleet) == [old, "maxConcurrency: 72  # runtime", old]
    assert _where(fleet) == [
        f"runtime {OVERRIDES}:4 72 in force",
        f"environment {CONFIG}:6 80 hidden",
        f"decorator {BUNDLE}:24 96 hidden",
    ]

    after = fleet.generated()
    assert {target for target in after if after[target] != before[target]} == {"dev/support-tickets"}
