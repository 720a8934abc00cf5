"""The inspector's syntax tree alone: which expressions are fixed, which name a variable, which cannot be followed."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from bento_gitops.tools import bento_inspector as inspector

FIXED: tuple[list[str], list[str]] = ([], [])

TOP = """
import os
import os as system
from os import environ, getenv
import bentoml
import settings
from settings import ELSEWHERE
from package.deep import DEEP

BATCH = 32
CORES = {"cpu": "1"}
LIMIT = int(os.environ.get("LIMIT", "8"))
NAME = "NAMED"
TWICE = 1
TWICE = 2
CHANGED = {}
CHANGED["a"] = 1
GROWN = []
GROWN.append(1)
ARGUMENTS = bentoml.use_arguments(object)
CIRCLE = CIRCLE_BACK
CIRCLE_BACK = CIRCLE

def helper(name):
    return 1
"""


@pytest.fixture
def reader(tmp_path: Path) -> inspector.Reader:
    (tmp_path / "settings.py").write_text("import os\nELSEWHERE = os.getenv('ELSEWHERE', '1')\nPLAIN = 3\n")
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "package" / "deep.py").write_text("DEEP = 3\n")
    return inspector.Reader(tmp_path)


@pytest.mark.parametrize(
    ("expression", "variables", "beyond"),
    [
        ("32", *FIXED),
        ("BATCH * 2 + int('4')", *FIXED),
        ("{'cpu': '1', 'memory': f'{BATCH}Mi'}", *FIXED),
        ("dict(CORES, memory='1Gi')", *FIXED),
        ("ARGUMENTS.size", *FIXED),
        ("DEEP", *FIXED),
        ("settings.PLAIN", *FIXED),
        ('int(os.environ.get("A", "32"))', ["A"], []),
        ('int(os.getenv("A", "32"))', ["A"], []),
        ('int(os.environ["A"])', ["A"], []),
        ('int(system.environ["A"])', ["A"], []),
        ('int(environ["A"])', ["A"], []),
        ('int(getenv("A", BATCH))', ["A"], []),
        ('int(getenv(NAME, "1"))', ["NAMED"], []),
        ('getenv("A", getenv("B", "1")).strip()', ["A", "B"], []),
        ('1 if "A" in os.environ else 2', ["A"], []),
        ("LIMIT", ["LIMIT"], []),
        ("max(1, LIMIT)", ["LIMIT"], []),
        ("ELSEWHERE", ["ELSEWHERE"], []),
        ("settings.ELSEWHERE", ["ELSEWHERE"], []),
        ("helper('A')", [], ["helper('A')"]),
        ("os.cpu_count()", [], ["os.cpu_count()"]),
        ("getenv(helper('A'))", [], ["getenv(helper('A'))"]),
        ("TWICE", [], ["TWICE"]),
        ("CHANGED", [], ["CHANGED"]),
        ("GROWN", [], ["GROWN"]),
        ("CIRCLE", [], ["CIRCLE"]),
        ("unknown", [], ["unknown"]),
        ("os.environ", [], ["os.environ"]),
        ("[helper('A'), LIMIT]", ["LIMIT"], ["helper('A')"]),
        ("int(helper)", [], ["helper"]),
    ],
)
def test_an_expression_is_followed(reader: inspector.Reader, expression: str, variables: list[str], beyond: list[str]) -> None:
    follows = inspector.Follows()
    reader.follow(ast.parse(expression, mode="eval").body, inspector.Module(ast.parse(TOP)), follows)
    assert follows.as_json() == {"variables": variables, "beyond": beyond}


@pytest.mark.parametrize(
    "trick", ["os.environ['LIMIT'] = '9'", "def int(text): return 7", "os = helper", "environ.update(LIMIT='9')"]
)
def test_a_name_that_the_module_changes_is_trusted_no_more(reader: inspector.Reader, trick: str) -> None:
    follows = inspector.Follows()
    reader.follow(ast.parse("LIMIT, int(environ['LIMIT'])", mode="eval").body, inspector.Module(ast.parse(TOP + trick)), follows)
    assert follows.beyond


def test_the_inspector_reads_as_python_3_9() -> None:
    source = Path(inspector.__file__).read_text()
    tree = ast.parse(source, feature_version=(3, 9))
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert imported == {"ast", "importlib", "inspect", "json", "os", "sys", "traceback"}, "the standard library alone"
    from_modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert from_modules == {"__future__", "pathlib", "typing"}
