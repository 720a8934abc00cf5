"""Where the repository keeps what more than one part of the package looks for."""

from __future__ import annotations

CHART = "charts/bento-serving"
"""The chart that the values are for; its own values.yaml is the lowest layer."""
