"""The picture of a measurement of batching: throughput, p95 and what was shed, by setting."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from typing import Any

from bento_gitops.observing.tuning import Cell

_WIDTH, _HEIGHT = 900, 340
_COLOURS = ("#0b6e99", "#e07b39", "#5b8c5a", "#8c4a86", "#b8860b", "#555555")


def picture(measured: Sequence[Cell], title: str) -> str:
    """An SVG of its own: a group of bars for each max_batch_size, a colour for each max_latency_ms."""
    panels = [
        _panel(f"{title}: good answers a second", measured, lambda cell: round(cell.rate, 1)),
        _panel("p95 of the good answers, ms", measured, _p95),
    ]
    if any(cell.shed for cell in measured):
        panels.append(_panel("shed (503 and 429), percent of all answers", measured, lambda cell: round(cell.shed * 100, 2)))
    nested = "\n".join(
        f'<svg x="0" y="{number * _HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" {panel}' for number, panel in enumerate(panels)
    )
    height = _HEIGHT * len(panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}" height="{height}">\n'
        f"{nested}\n</svg>\n"
    )


def _p95(cell: Cell) -> float | None:
    found = cell.quantile(0.95)
    return None if found is None else round(found * 1000, 1)


def _panel(title: str, measured: Sequence[Cell], value: Callable[[Cell], float | None]) -> str:
    """What follows `<svg` in the SVG of one chart."""
    # A third of a second, for one command alone.
    from pygal import Bar, PluginImportFixer  # pyright: ignore[reportMissingTypeStubs]  (pygal has none)
    from pygal.style import Style  # pyright: ignore[reportMissingTypeStubs]

    # It is for pygal's maps, and of a kind that Python 3.11 warns of at every import and 3.12 passes over.
    sys.meta_path[:] = [finder for finder in sys.meta_path if not isinstance(finder, PluginImportFixer)]
    style: Any = Style(
        background="#ffffff",
        plot_background="#ffffff",
        colors=_COLOURS,
        font_family="sans-serif",
        title_font_size=15,
        label_font_size=13,
        major_label_font_size=13,
        legend_font_size=13,
        value_font_size=11,
    )
    chart: Any = Bar(
        style=style,
        js=[],  # the library's own would be loaded from its makers' server
        disable_xml_declaration=True,
        width=_WIDTH,
        height=_HEIGHT,
        include_x_axis=True,
        print_values=True,
        print_values_position="top",
        legend_at_bottom=False,
        show_minor_y_labels=False,
        title=title,
        x_title="max_batch_size (items)",
    )
    chart.uuid = "-".join(re.findall("[a-z0-9]+", title.lower()))
    chart.value_formatter = "{:g}".format
    sizes = sorted({cell.setting.max_batch_size for cell in measured})
    chart.x_labels = [str(size) for size in sizes]
    for latency in sorted({cell.setting.max_latency_ms for cell in measured}):
        by_size = {cell.setting.max_batch_size: cell for cell in measured if cell.setting.max_latency_ms == latency}
        # "-" for none: what was not measured has no bar, and no 0.
        chart.add(f"within {latency} ms", [value(by_size[size]) if size in by_size else None for size in sizes])
    rendered: str = chart.render(is_unicode=True)
    # The comments hold the date: the same figures give the same picture.
    return re.sub("<!--.*?-->", "", rendered, flags=re.DOTALL).removeprefix("<svg ")
