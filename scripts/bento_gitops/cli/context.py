"""What every command knows from the options before its name."""

from __future__ import annotations

from pathlib import Path

root: Path = Path()
