"""Knows that the limits come from the environment, can be found in the code, and that a bad one stops the start."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest
from batching_limits import VARIABLES, refuse_bad_limits
from conftest import EXAMPLE, start


def test_values_and_their_absence_are_accepted() -> None:
    refuse_bad_limits({})
    refuse_bad_limits(dict.fromkeys(VARIABLES, "7"))


@pytest.mark.parametrize("value", ["0", "-1", "", "3.5", "abc", "1e3", " 5", "\u0663", "9" * 12])
def test_what_is_no_positive_integer_is_refused_with_its_name_and_value(value: str) -> None:
    with pytest.raises(ValueError, match="environment: CLASSIFIER_MAX_LATENCY_MS: not a positive integer") as refused:
        refuse_bad_limits({"CLASSIFIER_MAX_LATENCY_MS": value})
    assert f"(found {value!r})" in str(refused.value)


def test_a_service_does_not_start_with_bad_limits_and_names_all_of_them(model_store: Path) -> None:
    environment = {"BENTOML_HOME": str(model_store), "EMBEDDING_MAX_BATCH_SIZE": "many", "CLASSIFIER_MAX_BATCH_SIZE": "0"}

    process = start("EmbeddingRunner", 1, environment, stdout=subprocess.PIPE)
    output, _ = process.communicate(timeout=60)

    assert process.returncode != 0
    assert "EMBEDDING_MAX_BATCH_SIZE: not a positive integer (found 'many'); set it to one, or unset it" in output
    assert "CLASSIFIER_MAX_BATCH_SIZE: not a positive integer (found '0')" in output


def test_each_limit_stands_in_the_decorator_as_an_inspection_expects_it() -> None:
    """`bento-gitops bundle inspect` finds a limit's variable by this form, in the syntax tree."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse((EXAMPLE / "service.py").read_text())):
        if isinstance(node, ast.keyword) and node.arg in ("max_batch_size", "max_latency_ms"):
            form = re.fullmatch(r"int\(os\.environ\.get\('(\w+)', '(\d+)'\)\)", ast.unparse(node.value))
            assert form, ast.unparse(node.value)
            found[form[1]] = form[2]

    assert found == dict(zip(VARIABLES, ("32", "2000", "64", "1000"), strict=True))
