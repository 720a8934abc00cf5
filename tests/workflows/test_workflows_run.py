"""The commands of each workflow, run against a bare remote and a stand-in for gh."""

from __future__ import annotations

import shutil

import pytest
from bento_gitops.repository.files import GitTree
from bento_gitops.reviewing.body import MARKER
from commands import called
from git_repositories import Origin, Repository
from github_stand_in import GitHub
from live_stand_in import Live
from runner import Runner

APP = "support-tickets"
CONFIG = f"environments/prod/{APP}/config.yaml"
RELEASE = f"environments/prod/{APP}/release.yaml"
VALUES = f"environments/prod/{APP}/values.yaml"
TOKEN = {"secrets.BENTO_GITOPS_TOKEN": "token", "github.token": "token"}
MAIN = {**TOKEN, "github.event.repository.default_branch": "main", "github.ref_name": "main"}
TYPED = {
    **MAIN,
    "github.actor": "olivia",
    "github.actor_id": "7",
    "inputs.target": f"dev/{APP}",
    "inputs.tag": "",
    "inputs.reason": "a better one",
    "inputs.break-glass": "",
}


def _more_memory(olivia: Repository, *, rendered: bool = True) -> str:
    """A commit of somebody's own, without and with the values that follow from it."""
    text = olivia.text(CONFIG)
    assert text and text.count("max_replicas: 8") == 1
    olivia.put(CONFIG, text.replace("max_replicas: 8", "max_replicas: 9"))
    if rendered:
        _render(olivia)
    return olivia.commit("More of it")


def _render(olivia: Repository) -> None:
    from bento_gitops.operations.render import render, write
    from bento_gitops.repository.files import WorkingTree

    write(olivia.root, render(WorkingTree(olivia.root), None))


def _stale(origin: Origin) -> bool:
    from bento_gitops.operations.render import render

    return any(one.changed for one in render(GitTree(origin.root, "main"), None))


# check.yml


def _merged(olivia: Repository, ref: str = "refs/pull/1/merge") -> None:
    """What GitHub makes of a pull request: the branch merged into main."""
    olivia.git("push", "--quiet", "origin", "HEAD:refs/heads/change")
    olivia.git("checkout", "--quiet", "--detach", "origin/main")
    olivia.git("merge", "--quiet", "--no-ff", "--message", "merged", "change")
    olivia.git("push", "--quiet", "--force", "origin", f"HEAD:{ref}")
    olivia.git("checkout", "--quiet", "change")


def test_a_pull_request_is_reviewed_in_one_comment_that_is_written_anew(
    runner: Runner, olivia: Repository, github: GitHub
) -> None:
    olivia.git("checkout", "--quiet", "-b", "change")
    _more_memory(olivia)
    _merged(olivia)
    number = github.open("change")
    github.comment(number, f"{MARKER}\nI pretend to be the review")
    context = {**TOKEN, "github.event.merge_group.base_sha || 'HEAD^1'": "HEAD^1"}
    review = runner.run("check.yml", "review", context, ref="refs/pull/1/merge")
    assert review.code == 0, review.out
    body = review.outputs["body"]
    assert body.startswith(MARKER) and "services.EmbeddingRunner.scaling.max_replicas" in body
    assert review.summary == f"{body}\n"

    said = {
        **TOKEN,
        "github.event.pull_request.base.sha": olivia.git("rev-parse", "origin/main"),
        "github.event.pull_request.number": str(number),
        "needs.review.outputs.body": body,
    }
    first = runner.run("check.yml", "comment", said)
    assert first.code == 0 and "new comment: https://" in first.out, first.out
    second = runner.run("check.yml", "comment", {**said, "needs.review.outputs.body": f"{body}\n\nand more `$(date)`"})
    assert second.code == 0 and "\ncomment: https://" in f"\n{second.out}", second.out
    stranger, own = github.pulls[0]["comments"]
    assert stranger["body"].endswith("I pretend to be the review")
    assert own["body"] == f"{body}\n\nand more `$(date)`"


def test_a_comment_that_is_no_review_is_not_written(runner: Runner, github: GitHub) -> None:
    github.open("change")
    said = {**TOKEN, "github.event.pull_request.base.sha": "main", "github.event.pull_request.number": "1"}
    for body, words in (("I was the review", "is no review of a change"), (f"{MARKER}\n{'x' * 65_000}", "is longer than")):
        done = runner.run("check.yml", "comment", {**said, "needs.review.outputs.body": body})
        assert done.code == 1 and words in done.out, done.out
    assert github.pulls[0]["comments"] == []


def test_a_pull_request_with_stale_values_is_reviewed_and_fails(runner: Runner, olivia: Repository) -> None:
    olivia.git("checkout", "--quiet", "-b", "change")
    _more_memory(olivia, rendered=False)
    _merged(olivia)
    context = {"github.event.merge_group.base_sha || 'HEAD^1'": "HEAD^1"}
    review = runner.run("check.yml", "review", context, ref="refs/pull/1/merge")
    assert review.code == 3 and "1 of 3 values.yaml are not what their sources say" in review.out
    assert "max_replicas" in review.outputs["body"], "what it does is told all the same"


# promote.yml


def test_a_promotion_by_dispatch_is_a_pull_request_of_who_asked(runner: Runner, origin: Origin, github: GitHub) -> None:
    done = runner.run("promote.yml", "promote", {**TYPED, "inputs.tag": "1.1.0"})
    assert done.code == 0, done.out
    (pull,) = github.pulls
    assert (pull["head"], pull["base"]) == (f"bento-gitops/dev/{APP}/promote-1.1.0", "main")
    assert pull["body"].startswith(MARKER) and "a better one" in pull["body"]
    assert origin.git("log", "-1", "--format=%an <%ae>", pull["head"]) == "olivia <7+olivia@users.noreply.github.com>"
    assert "Bento-Gitops-Reason: a better one" in origin.git("log", "-1", "--format=%B", pull["head"])


@pytest.mark.parametrize(
    ("typed", "code", "words"),
    [
        ({"inputs.target": "prod"}, 1, "this command needs one application"),
        ({"inputs.target": "--root=/"}, 1, "this command needs one application"),
        ({"inputs.target": "prod/$(touch pwned)"}, 1, "no such application here"),
        ({"inputs.tag": "1.1.0; touch pwned"}, 1, "there is no such bundle"),
        ({"inputs.tag": "../../../etc/passwd"}, 1, "there is no such bundle"),
        ({"inputs.reason": '"; touch pwned; "', "inputs.tag": "--no-such"}, 1, "there is no such bundle"),
    ],
)
def test_what_is_typed_is_checked_by_the_command_and_never_run(
    runner: Runner, origin: Origin, github: GitHub, typed: dict[str, str], code: int, words: str
) -> None:
    done = runner.run("promote.yml", "promote", {**TYPED, **typed})
    assert (done.code, words in done.out) == (code, True), done.out
    assert github.pulls == [] and origin.git("branch", "--list").split() == ["*", "main"]
    assert not list(done.clone.root.rglob("pwned"))


# main.yml


def _audit(runner: Runner, before: str) -> tuple[int, str]:
    done = runner.run("main.yml", "audit", {**MAIN, "github.sha": "", "github.event.before": before})
    return done.code, done.out


def test_what_a_command_or_a_pull_request_brought_to_main_passes_the_audit(
    runner: Runner, olivia: Repository, github: GitHub
) -> None:
    before = olivia.head
    olivia.git("checkout", "--quiet", "-b", "change")
    _more_memory(olivia)
    olivia.git("checkout", "--quiet", "main")
    olivia.git("merge", "--quiet", "--no-ff", "--message", "Merge pull request", "change")
    github.merged(12, olivia.head)
    olivia.git("push", "--quiet")
    _command(
        olivia,
        "override",
        "set",
        f"prod/{APP}",
        "services.EmbeddingRunner.scaling.min_replicas=4",
        "--for",
        "8h",
        "--reason",
        "why",
    )
    _command(olivia, "canary", "abort", f"prod/{APP}", "--reason", "why")
    _command(olivia, "override", "end", f"prod/{APP}", "1")
    code, out = _audit(runner, before)
    assert code == 0, out
    assert [line.split()[1] for line in out.splitlines()[-4:]] == ["#12", "command", "command", "command"]


def test_a_push_by_hand_fails_the_audit(runner: Runner, olivia: Repository, github: GitHub) -> None:
    before = olivia.head
    sha = _more_memory(olivia)
    github.merged(12, sha, base="another")
    olivia.git("push", "--quiet")
    code, out = _audit(runner, before)
    assert code == 4 and f"commit {sha[:12]} (Olivia Operator): is no command's that may be pushed" in out, out


def test_a_command_with_something_hidden_in_it_fails_the_audit(runner: Runner, olivia: Repository) -> None:
    before = olivia.head
    _command(olivia, "canary", "pause", f"prod/{APP}", "--reason", "why", push=False)
    olivia.put(VALUES, (olivia.text(VALUES) or "").replace("weight: 90", "weight: 91"))
    olivia.put("charts/bento-serving/templates/more.yaml", "{}\n")
    others = [f"clusters/prod-cluster/{name}.yaml" for name in ("environments", "values")]
    for path in others:
        olivia.put(path, "operators: {groups: [everybody]}\n")
    release = olivia.text(RELEASE) or ""
    olivia.put(RELEASE, release.replace("weight: 90", "weight: 95").replace("weight: 10,", "weight: 5,"))
    olivia.git("add", "--all")
    olivia.git("commit", "--quiet", "--amend", "--no-edit")
    olivia.git("push", "--quiet")
    code, out = _audit(runner, before)
    assert code == 4
    for path in ("charts/bento-serving/templates/more.yaml", *others):
        assert f"{path}: is nothing that `pause` of prod/support-tickets writes" in out
    assert f"{VALUES}: is not what its sources say in this commit" in out
    assert f"{RELEASE}: says other weights than the commit's own words, blue=90 green=10 (found blue=95 green=5)" in out


def test_a_branch_that_was_forced_fails_the_audit(runner: Runner, olivia: Repository) -> None:
    sha = _more_memory(olivia)
    olivia.git("push", "--quiet")
    olivia.git("reset", "--quiet", "--hard", "HEAD^")
    olivia.commit("Another history", {"NOTES.txt": "x\n"})
    olivia.git("push", "--quiet", "--force")
    olivia.git("push", "--quiet", "origin", f"{sha}:refs/heads/kept")
    code, out = _audit(runner, sha)
    assert code == 1 and "the branch was rewritten" in out, out


def test_stale_values_on_main_are_told_and_repaired_by_one_commit(runner: Runner, olivia: Repository, origin: Origin) -> None:
    sha = _more_memory(olivia, rendered=False)
    olivia.git("push", "--quiet")
    assert runner.run("main.yml", "render", MAIN).code == 3
    context = {**MAIN, "github.sha": sha}
    done = runner.run("main.yml", "repair", context)
    assert done.code == 0, done.out
    assert not _stale(origin)
    text = origin.git("log", "-1", "--format=%B", "main")
    assert text.startswith(f"prod/{APP}: render\n") and VALUES in text and f"main was stale after {sha}" in text
    assert origin.git("diff", "--name-only", "main^", "main") == VALUES
    assert runner.run("main.yml", "render", MAIN).code == 0
    assert _audit(runner, sha)[0] == 0, "a repair needs no pull request"

    head = origin.head
    again = runner.run("main.yml", "repair", context)
    assert again.code == 0 and "all 3 generated files are what their sources say" in again.out
    assert origin.head == head


def test_what_a_cluster_gets_is_repaired_too_and_audited_as_what_it_must_be(
    runner: Runner, olivia: Repository, origin: Origin
) -> None:
    before = olivia.commit("prod runs the platform chart", {"clusters/prod-cluster/values.yaml": "{}\n"})
    olivia.git("push", "--quiet")
    assert runner.run("main.yml", "render", MAIN).code == 3
    assert runner.run("main.yml", "repair", {**MAIN, "github.sha": before}).code == 0
    generated = "clusters/prod-cluster/environments.yaml"
    assert origin.git("diff", "--name-only", "main^", "main") == generated
    assert runner.run("main.yml", "render", MAIN).code == 0
    assert _audit(runner, before)[0] == 0, "a repair needs no pull request"

    olivia.git("pull", "--quiet")
    before = olivia.head
    text = olivia.text(generated) or ""
    weaker = text.replace("registries: registry.example.com/ml", "registries: ''")
    assert weaker != text
    olivia.put(generated, weaker)
    olivia.git("add", "--all")
    olivia.git("commit", "--quiet", "--reuse-message", "HEAD")
    olivia.git("push", "--quiet")
    code, out = _audit(runner, before)
    assert code == 4 and f"{generated}: is not what its sources say in this commit" in out, out


def test_a_repair_that_meets_another_push_repairs_what_is_there_then(
    runner: Runner, olivia: Repository, origin: Origin, github: GitHub
) -> None:
    _more_memory(olivia, rendered=False)
    olivia.git("push", "--quiet")
    # While the repair is on its way, a change comes in that its first decision did not know.
    other = origin.clone("other")
    config = f"environments/dev/{APP}/config.yaml"
    other.put(config, (other.text(config) or "") + "labels: {owner: someone}\n")
    _render(other)
    other.git("checkout", "--", VALUES)
    other.commit("Labels")
    real = shutil.which("git")
    late = github.folder / "git"
    late.write_text(
        f"""#!/bin/sh
case " $* " in *" push "*) rm "$0" && {real} -C '{other.root}' push --quiet ;; esac
exec {real} "$@"
"""
    )
    late.chmod(0o755)
    done = runner.run("main.yml", "repair", {**MAIN, "github.sha": "x"})
    assert done.code == 0, done.out
    assert not late.exists() and origin.subjects("main")[:3] == [f"prod/{APP}: render", "Labels", "More of it"]
    assert not _stale(origin)


# overrides.yml


def test_ended_overrides_go_by_one_pull_request(runner: Runner, olivia: Repository, origin: Origin, github: GitHub) -> None:
    nothing = runner.run("overrides.yml", "end", MAIN)
    assert nothing.code == 0 and "no override is past its end" in nothing.out, nothing.out
    assert github.pulls == []
    for environment, end in (
        ("staging", "2020-01-01T00:00:00Z"),
        ("prod", "2020-01-01T00:00:00Z"),
        ("dev", "2999-01-01T00:00:00Z"),
    ):
        olivia.put(
            f"environments/{environment}/{APP}/overrides.yaml",
            f"""apiVersion: bento-gitops/v1
kind: Overrides
overrides:
  - config: {{services: {{EmbeddingRunner: {{scaling: {{min_replicas: 2}}}}}}}}
    reason: launch
    owner: olivia
    expires: {end}
""",
        )
    _render(olivia)
    olivia.commit("Overrides")
    olivia.git("push", "--quiet")
    done = runner.run("overrides.yml", "end", MAIN)
    assert done.code == 0, done.out
    (pull,) = github.pulls
    assert pull["head"] == "bento-gitops/all.overrides-ended" and pull["title"] == "all environments: end of 2 overrides"
    names = origin.git("diff", "--name-only", "main", pull["head"]).split()
    assert names == [
        f"environments/{where}/{APP}/{file}" for where in ("prod", "staging") for file in ("overrides.yaml", "values.yaml")
    ]
    assert origin.at(pull["head"], f"environments/prod/{APP}/overrides.yaml") is None
    assert origin.at(pull["head"], f"environments/dev/{APP}/overrides.yaml")


# canary.yml


def test_a_candidate_takes_its_step_by_what_runs(runner: Runner, olivia: Repository, origin: Origin, cluster: Live) -> None:
    before = olivia.head
    done = runner.run("canary.yml", "step", {**MAIN, "vars.BENTO_GITOPS_CANARY": "prod"})
    assert done.code == 0, done.out
    assert origin.subjects("main")[:2] == [f"prod/{APP}: evidence of 1.1.0", "Where commands ask"]
    assert origin.git("diff", "--name-only", before, "main") == f"environments/prod/{APP}/evidence/1.1.0.yaml"
    assert f"dev/{APP}" not in done.out, "another environment is another cluster"
    assert _audit(runner, before)[0] == 0


def test_a_cluster_that_does_not_answer_fails_the_run(runner: Runner, olivia: Repository, origin: Origin, cluster: Live) -> None:
    cluster.refused = {"deployments"}
    done = runner.run("canary.yml", "step", {**MAIN, "vars.BENTO_GITOPS_CANARY": "prod"})
    assert done.code == 5
    assert "does not show Deployments of tickets-prod: deployments is forbidden" in done.out, done.out
    assert origin.subjects("main")[0] == "Where commands ask", "nothing is written"


def _command(olivia: Repository, *words: str, push: bool = True) -> None:
    done = called(olivia.root, *words, "--push" if push else "--commit")
    assert done.returncode == 0, done.stdout + done.stderr
