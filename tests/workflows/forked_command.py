"""The command `bento-gitops`, which has imported already what commands import (tests/forking.py).

That the command starts as a program of its own is for tests of the CronJob's container to prove.
"""

from __future__ import annotations

import os
import pkgutil
import sys
import traceback
from importlib import import_module
from pathlib import Path

PACKAGES = ("bento_gitops.cli", "bento_gitops.operations", "bento_gitops.reviewing")


def prepare(tests: str, renders: str) -> None:
    """`renders` is the folder of what Helm said in this run of the tests."""
    sys.path.append(tests)
    for package in map(import_module, PACKAGES):
        for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    from bento_gitops.cli.main import command
    from bento_gitops.tools import helm
    from helm_renders import Remembered

    command()
    helm._run = Remembered(Path(renders))  # pyright: ignore[reportPrivateUsage]  (as in the tests' own processes)


def run(words: list[str]) -> None:
    from bento_gitops.cli.main import main

    sys.argv = words
    code: object = 0
    try:
        main()
    except SystemExit as end:
        code = end.code
    except BaseException:
        traceback.print_exc()
        code = 70
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else int(code is not None))
