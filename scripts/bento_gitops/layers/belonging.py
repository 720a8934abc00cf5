"""Where a key belongs that stands in the wrong file, or at the wrong place of the right one."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel

from bento_gitops.model.files import Application, Config, Defaults, Environment

_PLACES: tuple[tuple[type[BaseModel], str], ...] = (
    # Settings first: what several of them know belongs where it holds for the fewest.
    (Config, "config.yaml"),
    (Defaults, "environment.yaml, under defaults:"),
    (Environment, "environment.yaml"),
    (Application, "applications/<application>.yaml"),
)


def belongs(word: str, models: Collection[type[BaseModel]]) -> str:
    """What to do with a key that the models at its place do not know and another place does; empty where none of them does."""
    if not any(issubclass(model, known) for model in models for known, _ in _PLACES):
        return ""
    if Environment in models and word in Defaults.model_fields:
        return "it belongs under defaults:"
    if Defaults in models and word in Environment.model_fields:
        return "it belongs at the top of the file, not under defaults:"
    place = next((place for model, place in _PLACES if word in model.model_fields and model not in models), "")
    return f"it belongs in {place}" if place else ""
