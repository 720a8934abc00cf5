"""The command `bento-gitops`: its groups, and how each kind of failure ends (message and exit code)."""

from __future__ import annotations

import functools
import gc
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from typer.main import get_command

from bento_gitops.cli import (
    bundle,
    chart,
    ci,
    console,
    context,
    diff,
    live,
    look,
    override,
    release,
    render,
    schemas,
    tune,
    validate,
    verify,
)
from bento_gitops.model.layout import CHART
from bento_gitops.model.problem import InvalidInput, Refused, ToolFailed

app = typer.Typer(
    name="bento-gitops",
    help="Runs BentoML services on Kubernetes by pull request.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(  # pyright: ignore[reportUnusedFunction]  (typer calls it)
    root: Annotated[
        Path | None,
        typer.Option(
            "--root", "-C", help="The repository to work on; without it the one around this folder.", exists=True, file_okay=False
        ),
    ] = None,
) -> None:
    context.root = root or _around(Path.cwd())


def _around(folder: Path) -> Path:
    """The repository that a folder lies in, as Git finds its own; the folder itself where there is none, for errors to name."""
    found = (here for here in (folder, *folder.parents) if (here / "environments").is_dir() and (here / CHART).is_dir())
    there = next(found, folder)
    return Path() if there == folder else there


app.command()(render.render)
app.command()(render.explain)
app.command()(validate.validate)
app.command()(diff.diff)
app.command()(diff.cost)
app.command()(look.status)
app.command()(look.history)
app.command()(look.observe)
app.command()(tune.tune)
app.command()(ci.audit)
app.command()(ci.comment)
release.register(app)
verify.register(app)
app.add_typer(override.app, name="override")
app.add_typer(live.app, name="live")
app.add_typer(bundle.app, name="bundle")
app.add_typer(chart.app, name="chart")
app.add_typer(schemas.app, name="schemas")


@functools.cache
def command() -> Callable[[], object]:
    """All commands, with what each may be told: made once a process, for that takes longer than many commands do."""
    return get_command(app)


def main() -> None:
    """Runs the command. Exit codes:

    0 done, 1 invalid input, 2 wrong usage, 3 differs from Git, 4 refused, 5 an outside tool failed or a race was lost, 70 a bug.
    """
    # A command keeps the trees that it builds until it ends: looking for garbage among them costs a quarter of its time.
    gc.set_threshold(100_000, 50, 50)
    try:
        command()()
    except InvalidInput as error:
        _fail(error, 1)
    except Refused as error:
        _fail(error, 4)
    except ToolFailed as error:
        _fail(error, 5)
    except (KeyboardInterrupt, BrokenPipeError):
        sys.exit(130)
    except Exception:
        import traceback

        traceback.print_exc()
        print("bento-gitops: this is a bug; please report it with the lines above", file=sys.stderr)  # noqa: T201
        sys.exit(70)


def _fail(error: Exception, code: int) -> None:
    sys.stdout.flush()
    console.error(str(error))
    sys.exit(code)
