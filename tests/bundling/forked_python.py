"""A Python that has imported BentoML already, for `bundle inspect` (tests/forking.py).

It looks like any Python: of the inspector it forks, all else it runs as the Python itself. What is proved of processes (that each
is fresh, ends in time, takes its children along) needs the Python itself.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys

BEFORE = """
if not any(word.endswith("bento_inspector.py") for word in sys.argv):
    os.execv("{python}", ["{python}", *sys.argv[1:]])
"""


def prepare() -> None:
    for name in ("bentoml", "_bentoml_sdk", "bentoml._internal.service.loader"):
        importlib.import_module(name)


def run(words: list[str]) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.argv = [word for word in words[1:] if word not in ("-I", "-B")]
    runpy.run_path(sys.argv[0], run_name="__main__")
