"""The command `bento-gitops` in this process: a tenth of the time of one of its own, and the same code from its arguments on."""

from __future__ import annotations

import contextlib
import gc
import io
import subprocess
import sys
from pathlib import Path
from unittest import mock

from bento_gitops.cli import context
from bento_gitops.cli.main import main


def called(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What the command prints and how it ends, as a process of its own would."""
    words = ["bento-gitops", "--root", str(root), *arguments]
    out, err = io.StringIO(), io.StringIO()
    code: object = 0
    thresholds = gc.get_threshold()
    try:
        with (
            mock.patch.object(sys, "argv", words),
            mock.patch.object(context, "root", context.root),
            mock.patch.dict("os.environ", {"NO_COLOR": "1"}),
            contextlib.redirect_stdout(out),
            contextlib.redirect_stderr(err),
        ):
            main()
    except SystemExit as end:
        code = end.code
    finally:
        gc.set_threshold(*thresholds)
    ended = code if isinstance(code, int) else 0 if code is None else 1
    return subprocess.CompletedProcess(words, ended, out.getvalue(), err.getvalue())


def unboxed(error: str) -> str:
    """What is said of wrong usage, without the frame that it is printed in."""
    return " ".join(error.replace("│", " ").split())
