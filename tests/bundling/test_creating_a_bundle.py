"""From an inspection to a bundle file: its bytes, what makes it another bundle, and every reason to refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from bento_gitops.bundling.checks import cycles, stray_kinds
from bento_gitops.bundling.writing import MODELINE
from bento_gitops.layers.reading import read
from bento_gitops.model.bundle import Bundle
from running import Ran, Run

DIGEST = f"sha256:{'a' * 64}"
IMAGE = f"registry.example.com/ml/support-ticket-intelligence@{DIGEST}"
PATH = "bundles/support-ticket-intelligence/1.1.0.yaml"

Create = Callable[..., Ran]


@pytest.fixture
def create(run: Run, tmp_path: Path) -> Create:
    """`bundle create` of an inspection, with the options that a test changes."""

    def command(inspected: dict[str, Any], *flags: str, **options: str) -> Ran:
        (tmp_path / "inspection.json").write_text(json.dumps(inspected))
        given = {"application": "support-ticket-intelligence", "image": IMAGE, "now": "2026-11-01T09:00:00Z", **options}
        arguments = [part for name, value in given.items() for part in (f"--{name.replace('_', '-')}", value)]
        return run("bundle", "create", "--inspection", tmp_path / "inspection.json", *arguments, *flags)

    return command


def test_the_bundle_has_the_layout_that_people_read(create: Create, inspected: dict[str, Any], tmp_path: Path) -> None:
    ran = create(inspected, source_repository="https://git.example.com/ml/tickets", source_commit="0123abc")
    assert ran.code == 0, ran.err
    assert ran.out.startswith(f"created: {PATH}\n")
    golden = Path(__file__).parent / "bundle.golden.yaml"
    assert (tmp_path / PATH).read_text() == golden.read_text()
    assert golden.read_text().startswith(f"{MODELINE}\n")


def test_the_one_reader_reads_what_was_written(create: Create, inspected: dict[str, Any], tmp_path: Path) -> None:
    odd = [
        "yes",
        "1.10",
        "0x1f",
        "1e3",
        "a: b",
        "#x",
        "-",
        "it's",
        '"quoted"',
        "line\nbreak",
        "caf\u00e9 \U0001f680",
        "\u2028\u2029",
        "~",
        " x ",
        "[a]",
        "1:30",
    ]
    inspected["services"]["EmbeddingRunner"]["envs"] = {f"ODD_{index}": text for index, text in enumerate(odd)}
    metadata = inspected["models"]["ticket_classifier:1.1.0"]["metadata"]
    metadata["evaluation"]["metrics"] = {"tiny": 5.9e-08, "whole": 1.0, "huge": 1e21, "0.5": 0.25}
    ran = create(inspected)
    assert ran.code == 0, ran.err
    bundle = read((tmp_path / PATH).read_bytes(), PATH, Bundle).value
    assert list((bundle.services["EmbeddingRunner"].envs or {}).values()) == odd
    evaluation = bundle.models["ticket-classifier"].evaluation
    assert evaluation and evaluation.metrics == {"tiny": 5.9e-08, "whole": 1.0, "huge": 1e21, "0.5": 0.25}


def test_the_same_bento_again_is_unchanged_though_the_time_differs(
    create: Create, inspected: dict[str, Any], tmp_path: Path
) -> None:
    create(inspected)
    before = (tmp_path / PATH).read_bytes()
    ran = create(inspected, now="2027-01-01T00:00:00Z")
    assert (ran.code, ran.out) == (0, f"unchanged: {PATH} (created 2026-11-01T09:00:00Z)\n")
    assert (tmp_path / PATH).read_bytes() == before


def test_another_bento_under_the_same_tag_is_refused_with_what_differs(
    create: Create, inspected: dict[str, Any], tmp_path: Path
) -> None:
    create(inspected)
    before = (tmp_path / PATH).read_bytes()
    inspected["services"]["EmbeddingRunner"]["resources"]["memory"] = "1Gi"
    del inspected["services"]["EmbeddingRunner"]["labels"]
    ran = create(inspected, image=IMAGE.replace("a" * 64, "b" * 64))
    assert ran.code == 4
    pointers = [line.split(": ")[1] for line in ran.err.splitlines()]
    assert pointers == [
        "image.digest",
        "services.EmbeddingRunner.labels.model",
        "services.EmbeddingRunner.labels.tier",
        "services.EmbeddingRunner.resources.memory",
    ]
    assert f"{PATH}: services.EmbeddingRunner.resources.memory: [bundle-changed] is 512Mi" in ran.err
    assert "(found 1Gi)" in ran.err
    assert (tmp_path / PATH).read_bytes() == before


def test_how_the_image_sends_traces_is_recorded_and_compared_once_it_was_looked_at(
    create: Create, inspected: dict[str, Any], tmp_path: Path
) -> None:
    create(inspected)
    assert "traces:" not in (tmp_path / PATH).read_text(), "the inspection is from before that was looked at"
    inspected["requirements"]["traces"] = "otlp-http"
    assert create(inspected).out.startswith("unchanged: ")
    assert create(inspected, tag="1.2.0").code == 0
    later = (tmp_path / PATH).with_name("1.2.0.yaml")
    assert "\ntraces: otlp-http\n" in later.read_text()
    inspected["requirements"]["traces"] = "none"
    ran = create(inspected, tag="1.2.0")
    assert ran.code == 4
    assert "traces: [bundle-changed] is otlp-http" in ran.err


def test_a_dry_run_prints_and_writes_nothing(create: Create, inspected: dict[str, Any], tmp_path: Path) -> None:
    ran = create(inspected, "--dry-run")
    assert ran.code == 0
    assert ran.out.startswith(MODELINE)
    assert not (tmp_path / "bundles").exists()


def test_json_says_what_was_done(create: Create, inspected: dict[str, Any]) -> None:
    answer = json.loads(create(inspected, "--json", tag="1.1.0-rc.1").out)
    assert (answer["path"], answer["changed"]) == ("bundles/support-ticket-intelligence/1.1.0-rc.1.yaml", True)
    assert answer["bundle"]["bento"] == "support_ticket_intelligence:1.1.0"


def change(inspected: dict[str, Any], path: str, value: Any) -> None:
    """Sets what stands at a slash-separated path; None takes it away."""
    *parents, last = path.split("/")
    for part in parents:
        inspected = inspected[part]
    if value is None:
        del inspected[last]
    else:
        inspected[last] = value


CLASSIFIER = "models/ticket_classifier:1.1.0/metadata"
RUNNER = "services/ClassifierRunner/dependencies"


@pytest.mark.parametrize(
    ("path", "value", "error"),
    [
        (CLASSIFIER, None, "[model-metadata-missing] no model store had the model"),
        (
            f"{CLASSIFIER}/framework",
            None,
            "[model-metadata-missing] does not say who made the model from what: framework: is missing;",
        ),
        (f"{CLASSIFIER}/dataset/snapshot", None, "from what: dataset.snapshot: is missing;"),
        (
            f"{CLASSIFIER}/dataset",
            None,
            "dataset, evaluation or pretrained: ",
        ),
        (f"{CLASSIFIER}/evaluation/metrics", {}, "evaluation.metrics:"),
        ("models/minilm_l6_v2_int8:1.0.0/metadata/pretrained/sha256", "?", "pretrained.sha256:"),
        ("models/other:latest", {"metadata": None}, "[model-version-missing] the model's version is not fixed"),
        ("models/ticket_classifier:1.0.0", {"metadata": None}, "[model-name-twice] two models would have the same name"),
        ("requirements", {"locked": False, "count": 3, "loose": ["numpy>=2"]}, "is exact (found numpy>=2)"),
        ("requirements", {"locked": True, "count": 0}, "[requirements-unlocked] the Bento names none"),
        (RUNNER, ["SupportTicketIntelligence"], "(found ClassifierRunner -> SupportTicketIntelligence -> ClassifierRunner)"),
        (RUNNER, ["ClassifierRunner"], "[dependency-cycle] services depend on each other in a circle (found ClassifierRunner ->"),
        (RUNNER, ["Nobody"], "[unknown-service] is not among the services (found 'Nobody')"),
        ("unresolved", [{"pointer": "services.A.x", "reason": "is odd"}], "services.A.x: [inspection-unresolved] is odd"),
        ("files", [{"path": "src/.env", "size": 1}], "[stray-content] a secret does not belong in a Bento"),
        ("files", [{"path": "src/a.txt", "size": 1, "private_key": True}], "[stray-content] a private key does not belong"),
        (
            "files",
            [{"path": "src/blob.bin", "size": 60 << 20}],
            "[stray-content] the file is too large to be code (found 60.0 MiB,",
        ),
    ],
)
def test_an_unfit_bento_is_refused_by_name(
    create: Create, inspected: dict[str, Any], tmp_path: Path, path: str, value: Any, error: str
) -> None:
    change(inspected, path, value)
    ran = create(inspected)
    assert ran.code == 1
    assert error in ran.err
    assert f"{tmp_path / 'inspection.json'}: " in ran.err
    assert not (tmp_path / "bundles").exists()


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        ("tag", "latest", "--tag: [tag-latest] a bundle is one version for ever"),
        ("tag", "-x", "--tag: is no tag (found '-x')"),
        ("image", "registry.example.com/a:1.1.0", "--image: [image-without-digest] a tag can be moved"),
        ("image", "registry.example.com/a@sha256:abc", "--image: [image-without-digest] the digest is not"),
        ("image", f"registry.example.com/a:1.1.0@{DIGEST}", "--image: the image has a tag beside its digest"),
        ("image", f"@{DIGEST}", "--image: is no name of an image"),
        ("application", "Support_Tickets", "--application: is no name for an application"),
        ("now", "yesterday", "--now: is not a time"),
        ("source_commit", "0123abc", "--source-repository: repository and commit belong together"),
    ],
)
def test_a_wrong_option_is_refused(
    create: Create, inspected: dict[str, Any], tmp_path: Path, option: str, value: str, error: str
) -> None:
    ran = create(inspected, **{option: value})
    assert ran.code == 1
    assert error in ran.err
    assert not (tmp_path / "bundles").exists()


def test_a_bento_of_version_latest_needs_a_tag(create: Create, inspected: dict[str, Any]) -> None:
    inspected["bento"] = "support_ticket_intelligence:latest"
    assert "[tag-latest]" in create(inspected).err
    assert create(inspected, tag="1.1.0").code == 0


def test_all_reasons_are_told_at_once(create: Create, inspected: dict[str, Any]) -> None:
    change(inspected, "requirements/locked", False)
    change(inspected, "files", [{"path": "src/a.ipynb", "size": 1}, {"path": "src/b.pem", "size": 1}])
    change(inspected, f"{CLASSIFIER}/framework", None)
    change(inspected, f"{CLASSIFIER}/preprocessing", None)
    ran = create(inspected, tag="latest", image="a")
    names = sorted(line.split("[")[1].split("]")[0] for line in ran.err.splitlines())
    assert names == [
        "image-without-digest",
        "model-metadata-missing",
        "requirements-unlocked",
        "stray-content",
        "stray-content",
        "tag-latest",
    ]
    assert "framework: is missing; preprocessing: is missing" in ran.err


def test_the_size_limit_can_be_raised(create: Create, inspected: dict[str, Any]) -> None:
    inspected["files"] = [{"path": "src/blob.bin", "size": 60 << 20}]
    assert create(inspected, max_file_mib="60").code == 0


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("src/.env", "a secret"), ("src/deep/.env.production", "a secret"), ("src/.aws/config", "a secret"),
        ("src/tls/server.PEM", "a key"), ("src/id_ed25519", "a key"), ("src/x.ipynb", "a notebook"),
        ("src/data/tickets.csv", "a data set"), ("src/t.parquet", "a data set"), ("src/.git/HEAD", "version control"),
        ("src/__pycache__/a.pyc", "a cache"), ("src/.DS_Store", "a cache"),
    ],
)  # fmt: skip
def test_stray_content_is_known_by_its_name(path: str, kind: str) -> None:
    assert [what for what, _ in stray_kinds(path)] == [kind]


@pytest.mark.parametrize(
    "path", ["src/service.py", "src/.env.example", "env/docker/Dockerfile", "src/environment.py", "src/keys.py", "README.md"]
)
def test_code_is_not_taken_for_stray_content(path: str) -> None:
    assert stray_kinds(path) == []


def test_each_circle_is_found_once() -> None:
    graph = {"a": ["b"], "b": ["c", "d"], "c": ["a"], "d": ["d"], "e": ["a"]}
    assert cycles(graph) == [["a", "b", "c", "a"], ["d", "d"]]
    assert cycles({"a": ["b", "c"], "b": ["c"], "c": []}) == []


@pytest.mark.parametrize(
    ("content", "error"),
    [("", "is not JSON"), ("{}", "apiVersion: Field required"), ('{"kind": "Bundle"}', "kind: Input should be 'Inspection'")],
)
def test_what_is_no_inspection_is_refused(run: Run, tmp_path: Path, content: str, error: str) -> None:
    (tmp_path / "i.json").write_text(content)
    ran = run("bundle", "create", "--application", "a", "--inspection", tmp_path / "i.json", "--image", IMAGE)
    assert ran.code == 1
    assert error in ran.err
    assert "bento-gitops bundle inspect BENTO > inspection.json" in ran.err


def test_show_is_a_table_for_people(create: Create, inspected: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "140")  # narrower than the image's name, which is never cut
    create(inspected)
    ran = run("bundle", "show", "support-ticket-intelligence", "1.1.0")
    assert ran.code == 0
    for text in (
        "cpu 500m, memory 512Mi",
        "32 (EMBEDDING_MAX_BATCH_SIZE)",
        "ticket_classifier:1.1.0",
        "accuracy 0.9375",
        f"@{DIGEST}",
    ):
        assert text in ran.out
    assert json.loads(run("bundle", "show", "support-ticket-intelligence", "1.1.0", "--json").out)["tag"] == "1.1.0"


def test_show_of_what_is_not_there_names_the_nearest(create: Create, inspected: dict[str, Any], run: Run) -> None:
    create(inspected)
    assert (
        "bundles: no such application (found 'suport-ticket-intelligence'); did you mean 'support-ticket-intelligence'?"
        in run("bundle", "show", "suport-ticket-intelligence", "1.1.0").err
    )
    ran = run("bundle", "show", "support-ticket-intelligence", "1.0.1")
    assert (ran.code, ran.err) == (
        1,
        "bundles/support-ticket-intelligence: no such bundle (found '1.0.1'); did you mean '1.1.0'?\n",
    )
