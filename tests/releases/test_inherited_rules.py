"""An environment that extends another has its rules of promotion too."""

from __future__ import annotations

from stories import APP, REGION, REGION_ENVIRONMENT, Operator


def test_without_a_tag_the_next_bundle_is_that_of_the_environment_that_the_inherited_rules_name(olivia: Operator) -> None:
    """The newest bundle of all has proved itself nowhere."""
    olivia.prove("1.1.0")
    olivia.new_bundle("1.2.0")
    olivia.clone.put("environments/prod-b/environment.yaml", REGION_ENVIRONMENT)
    release = olivia.clone.text(f"environments/prod/{APP}/release.yaml") or ""
    olivia.clone.put(f"environments/{REGION}/release.yaml", release)
    olivia.run("render")
    olivia.clone.commit("A second region")
    olivia.clone.git("push", "--quiet")
    assert "1.1.0 is the candidate" in olivia.change("promote", REGION, "--dry-run").out


def test_the_first_bundle_of_a_new_environment_follows_the_inherited_rules_too(olivia: Operator) -> None:
    olivia.prove("1.1.0")
    olivia.new_bundle("1.2.0")
    olivia.clone.commit("A second region", {"environments/prod-b/environment.yaml": REGION_ENVIRONMENT})
    olivia.clone.git("push", "--quiet")
    assert "1.1.0 is the first bundle" in olivia.change("promote", REGION, "--dry-run").out
