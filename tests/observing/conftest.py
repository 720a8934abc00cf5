"""Which tests of what is observed need a Python with BentoML."""

from __future__ import annotations

import bento_python
import pytest


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    bento_python.leave_out(config, items, ["test_tracks_under_load.py"])
