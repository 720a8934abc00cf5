"""Knows what keeps two servers of BentoML on one machine apart."""

from __future__ import annotations

from pathlib import Path


def home_of_its_own(home: Path, model_store: Path) -> Path:
    """A BENTOML_HOME with the models of another. Two servers in one would add up their metrics, and the later empties them."""
    home.mkdir(exist_ok=True)
    (home / "models").symlink_to(model_store / "models", target_is_directory=True)
    return home
