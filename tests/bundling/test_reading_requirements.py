"""When the requirements of a Bento are exact."""

from __future__ import annotations

import pytest
from bento_gitops.bundling.requirements import read_requirements


@pytest.mark.parametrize(
    "line",
    [
        "bentoml==1.4.39",
        "bentoml===1.4.39",
        "bentoml[grpc,io] == 1.4.39",
        "numpy==2.3.1 ; python_version < '3.13' and sys_platform != 'win32'",
        "numpy>=2 \\\n    --hash=sha256:abc \\\n    --hash=sha256:def",
        "./wheels/own-1.0-py3-none-any.whl",
        "own @ https://example.com/own-1.0.whl#sha256=abc",
        "own @ git+https://example.com/own@0123456789abcdef0123456789abcdef01234567",
        "--index-url https://example.com/simple\nnumpy==1.0",
        "# a comment\n\nnumpy==1.0  # why",
    ],
)
def test_an_exact_requirement_is_locked(line: str) -> None:
    found = read_requirements(line)
    assert (found.locked, found.count, found.loose) == (True, 1, [])


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy>=2",
        "numpy~=2.3.1",
        "numpy==2.*",
        "numpy==2.3.1,<3",
        "numpy>=1,==2.3.1",
        "own @ git+https://example.com/own@main",
        "own @ https://example.com/own-1.0.whl",
        "-e .",
        "-r other.txt",
        ".",
    ],
)
def test_a_requirement_that_can_change_is_named(line: str) -> None:
    found = read_requirements(f"bentoml==1.4.39\n{line}\n")
    assert (found.locked, found.count, found.loose) == (False, 2, [line])


@pytest.mark.parametrize(
    ("line", "traces"),
    [
        ("opentelemetry-exporter-otlp-proto-http==1.45.1", "otlp-http"),
        ("OpenTelemetry_Exporter.OTLP-proto-http==1.45.1 --hash=sha256:abc", "otlp-http"),
        ("opentelemetry-exporter-otlp==1.45.1", "otlp-http"),
        ("bentoml[io,tracing-otlp]==1.4.39", "otlp-http"),
        ("bentoml[io]==1.4.39", "none"),
        ("opentelemetry-exporter-otlp-proto-grpc==1.45.1", "none"),
        ("opentelemetry-exporter-otlp-proto-common==1.45.1", "none"),
        ("# opentelemetry-exporter-otlp-proto-http==1.45.1\nnumpy==1.0", "none"),
        ("./wheels/opentelemetry-1.0-py3-none-any.whl", "none"),
    ],
)
def test_the_exporter_of_traces_is_known_by_its_name_or_by_bentoml_s_extras(line: str, traces: str) -> None:
    assert read_requirements(line).traces == traces
