"""Draws what the dashboards show of the example into docs/pictures: a picture for each, laid out as in Grafana.

    python pictures.py FOLDER

Grafana itself is not needed; heatmaps are drawn as dots, the larger the more.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pygal
from bento_gitops.observing.answers import Answered
from bento_gitops.observing.dashboards.panels import LIMIT, OBJECTIVE
from dashboard_queries import Panel, boards, filled, panels
from pygal.style import Style
from shown import CHOSEN, Shown, shown
from tracks import CANDIDATE, MOST_AT_ONCE, SPEED, STABLE, Phase, run, watched

# Half a minute as usual; too many clients at once; then tickets that are like no class, for the candidate alone.
PHASES = [
    Phase(24, {STABLE: 12, CANDIDATE: 4}, invalid=0.05),
    Phase(4, {STABLE: 12, CANDIDATE: 4}, invalid=0.05, at_once=2 * MOST_AT_ONCE),
    Phase(12, {STABLE: 12, CANDIDATE: 4}, invalid=0.05),
    Phase(20, {STABLE: 12, CANDIDATE: 4}, invalid=0.05, strange=0.7),
]

_COLUMN, _ROW = 52, 27
_HEAD = 46
_INK, _PALE, _PAPER, _LINE = "#1f2328", "#656d76", "#ffffff", "#d0d7de"
_PALETTE = ("#5794f2", "#73bf69", "#ff9830", "#b877d9", "#8ab8ff", "#37872d", "#fade2a", "#a352cc", "#ffa6b0", "#7c8088")
_RED = "#e02f44"
_FIXED = {"blue": "#3274d9", "green": "#56a64b", "red": _RED}
"""Grafana's names of colours."""
_LONGEST = 32
"""Letters of a name in a legend."""
_MOST_DOTS = 30
"""Columns of a heatmap."""

_UNITS = {"percentunit": (100, " %"), "percent": (1, " %"), "s": (1, " s"), "reqps": (1, "/s"), "ops": (1, "/s")}


def main(folder: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch, watched(Path(scratch)) as running:
        running.prometheus.until("bento:pods_up", lambda found: sum(one.value for one in found) == 6)
        begin = time.time()
        answers = run(running, PHASES)
        end = time.time()
        for uid, board in boards().items():
            drawn = [
                (
                    panel,
                    [shown(running.prometheus, panel, target, begin, end, _chosen(panel)) for target in panel.targets],
                )
                for panel in panels(board)
            ]
            file = folder / f"dashboard-{uid.removeprefix('bento-')}.svg"
            file.write_text(picture(board, drawn, begin, end, answers), encoding="utf-8")
            print(file)


def _chosen(panel: Panel) -> dict[str, str]:
    """A panel that Grafana repeats for every track is drawn once, for the candidate."""
    return {"track": CANDIDATE} if panel.json.get("repeat") == "track" else {}


def picture(
    board: Mapping[str, Any],
    drawn: Sequence[tuple[Panel, Sequence[Sequence[Shown]]]],
    begin: float,
    end: float,
    answers: Sequence[tuple[str, Answered]],
) -> str:
    """An SVG of all panels at their places."""
    bottom = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    width, height = 24 * _COLUMN, _HEAD + bottom * _ROW + 8
    said = (
        f"{end - begin:.0f} s of the example on loopback, {len(answers)} requests;"
        f" windows and intervals of rules are {SPEED:g} times shorter than in a cluster"
    )
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif">',
        f'<rect width="{width}" height="{height}" fill="#f6f8fa"/>',
        _text(12, 20, board["title"], 16, _INK, bold=True),
        _text(12, 37, said, 11, _PALE),
    ]
    parts += [
        _text(12, _HEAD + (row["gridPos"]["y"] + 1) * _ROW - 8, row["title"], 13, _INK, bold=True)
        for row in board["panels"]
        if row["type"] == "row"
    ]
    for panel, series in drawn:
        place = panel.json["gridPos"]
        x, y = place["x"] * _COLUMN, _HEAD + place["y"] * _ROW
        w, h = place["w"] * _COLUMN, place["h"] * _ROW
        parts.append(f'<rect x="{x + 3}" y="{y + 3}" width="{w - 6}" height="{h - 6}" rx="3" fill="{_PAPER}" stroke="{_LINE}"/>')
        parts.append(_text(x + 11, y + 19, filled(panel.title, CHOSEN | _chosen(panel)), 12, _INK, bold=True))
        parts.append(_drawn(panel, series, (x + 8, y + 24, w - 16, h - 30), (begin, end)))
    return "\n".join([*parts, "</svg>"]) + "\n"


Box = tuple[int, int, int, int]
"""x, y, width, height"""
Span = tuple[float, float]


def _drawn(panel: Panel, found: Sequence[Sequence[Shown]], box: Box, span: Span) -> str:
    match panel.kind:
        case "timeseries":
            return _lines(panel, found, box, span)
        case "heatmap":
            return _dots(panel, found, box, span)
        case "stat":
            return _numbers(panel, found, box)
        case "table":
            return _table(panel, found, box)
        case kind:
            raise ValueError(f"{panel}: no picture of a {kind}")


def _lines(panel: Panel, found: Sequence[Sequence[Shown]], box: Box, span: Span) -> str:
    series = [one for some in found for one in some]
    stacked = panel.json["fieldConfig"]["defaults"]["custom"].get("stacking", {}).get("mode") == "normal"
    colours = [_colour(panel, one.name, number) for number, one in enumerate(series)]
    steps = panel.json["fieldConfig"]["defaults"].get("thresholds", {}).get("steps", ())
    thresholds = [step["value"] for step in steps if step["value"] is not None]
    names = [one.name for one in series]
    # What is on top of others is drawn before them, and they over it.
    colours = (colours[::-1] if stacked else colours) + [_RED] * len(thresholds)
    chart = _chart(pygal.XY, panel, box, colours, [*names, *map(str, thresholds)], span)
    chart.fill = stacked
    factor, _ = _UNITS.get(panel.unit, (1, ""))
    below: dict[float, float] = {}
    added: list[tuple[Shown, list[tuple[float, float]]]] = []
    for one in series:
        points: list[tuple[float, float]] = []
        for moment, value in one.points:
            below[moment] = value * factor + (below.get(moment, 0.0) if stacked else 0.0)
            points.append((round(moment - span[0], 1), below[moment]))
        added.append((one, points))
    for one, points in added[::-1] if stacked else added:
        chart.add(one.name or panel.title, points, show_dots=len(points) == 1, stroke_style=_stroke(one.name))
    for threshold in thresholds:
        chart.add(f"{threshold:g}", [(0, threshold), (span[1] - span[0], threshold)], stroke_style=_DASHES)
    chart.range = _range([*thresholds, *(y for _, points in added for _, y in points)], panel)
    return _nested(chart, box)


def _dots(panel: Panel, found: Sequence[Sequence[Shown]], box: Box, span: Span) -> str:
    (series,) = found
    ordered = sorted(series, key=lambda one: float(one.labels["le"]))
    moments = sorted({moment for one in ordered for moment, _ in one.points})
    kept = moments[:: max(1, len(moments) // _MOST_DOTS)]
    chart = _chart(pygal.Dot, panel, box, ["#e0752d"] * len(ordered), (), span)
    chart.x_labels = [f"{moment - span[0]:.0f} s" if number % 5 == 0 else "" for number, moment in enumerate(kept)]
    chart.show_legend = False
    before = dict.fromkeys(kept, 0.0)
    for one in ordered:
        values = dict(one.points)
        row = [max(0.0, values.get(moment, 0.0) - before[moment]) for moment in kept]
        before = {moment: values.get(moment, 0.0) for moment in kept}
        if any(row):
            chart.add(f"≤ {_said(float(one.labels['le']), panel.unit)}", row)
    return _nested(chart, box)


def _numbers(panel: Panel, found: Sequence[Sequence[Shown]], box: Box) -> str:
    x, y, w, h = box
    lines: list[str] = []
    series = [one for some in found for one in some]
    for number, one in enumerate(series):
        value = _said(one.points[-1][1], panel.unit)
        name = f"{one.name}  " if one.name else ""
        lines.append(_text(x + w // 2, y + h * (number + 1) // (len(series) + 1) + 8, f"{name}{value}", 22, _INK, middle=True))
    return "\n".join(lines)


def _table(panel: Panel, found: Sequence[Sequence[Shown]], box: Box) -> str:
    x, y, w, _ = box
    keys = sorted({key for some in found for one in some for key in one.labels if key != "__name__"})
    headings = [override["matcher"]["options"] for override in panel.json["fieldConfig"]["overrides"]]
    units = [override["properties"][0]["value"] for override in panel.json["fieldConfig"]["overrides"]]
    rows: dict[tuple[str, ...], list[str]] = {}
    for number, some in enumerate(found):
        for one in some:
            values = rows.setdefault(tuple(one.labels.get(key, "") for key in keys), [""] * len(headings))
            values[number] = _said(one.points[-1][1], units[number])
    cells = [[*keys, *headings], *([*labels, *values] for labels, values in sorted(rows.items()))]
    widths = [max(len(row[number]) for row in cells) + 2 for number in range(len(cells[0]))]
    places = [x + 4 + w * sum(widths[:number]) / sum(widths) for number in range(len(widths))]
    lines = [
        _text(round(place, 1), y + 16 + 19 * line, word, 11, _INK if line else _PALE)
        for line, row in enumerate(cells)
        for place, word in zip(places, row, strict=True)
    ]
    return "\n".join(lines)


def _chart(kind: Any, panel: Panel, box: Box, colours: Sequence[str], names: Sequence[str], span: Span) -> Any:
    seconds = span[1] - span[0]
    longest = max([min(len(name), _LONGEST) for name in names], default=1)
    columns = max(1, min(len(names), box[2] // (5 * longest + 24)))
    style = Style(
        background="transparent",
        plot_background="transparent",
        foreground=_PALE,
        foreground_strong=_INK,
        foreground_subtle=_LINE,
        colors=tuple(colours) or (_PALE,),
        font_family="sans-serif",
        label_font_size=9,
        major_label_font_size=9,
        legend_font_size=9,
        opacity=".6",
        opacity_hover=".6",
        stroke_width="1.4",
        guide_stroke_color=_LINE,
        major_guide_stroke_color=_LINE,
        guide_stroke_dasharray="1,0",
        major_guide_stroke_dasharray="1,0",
    )
    chart = kind(
        style=style,
        width=box[2],
        height=box[3],
        js=[],
        show_dots=False,
        legend_at_bottom=True,
        legend_at_bottom_columns=columns,
        legend_box_size=8,
        truncate_legend=_LONGEST,
        margin=2,
        # Pygal leaves room for whole rows of the legend only.
        margin_bottom=16 if len(names) % columns else 2,
        spacing=6,
        show_x_guides=False,
        no_data_text="",
        pretty_print=False,
        dots_size=2,
    )
    factor, _ = _UNITS.get(panel.unit, (1, ""))
    chart.value_formatter = lambda value: _said(value / factor, panel.unit)
    if kind is pygal.XY:
        chart.xrange = (0, seconds)
        chart.x_labels = list(range(0, int(seconds) + 1, 10))
        chart.x_value_formatter = lambda value: f"{value:.0f} s"
    return chart


def _nested(chart: Any, box: Box) -> str:
    x, y, w, h = box
    # Its own name for its rules of style, the same at every drawing. No scripts: a picture in a page runs none.
    chart.uuid = f"{x}-{y}"
    text: str = chart.render(is_unicode=True, disable_xml_declaration=True)
    text = re.sub(r"<script.*?</script>|<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r"(\d\.\d)\d+", r"\1", text)
    return text.replace("<svg ", f'<svg x="{x}" y="{y}" width="{w}" height="{h}" ', 1)


def _range(values: Sequence[float], panel: Panel) -> tuple[float, float]:
    """With 0, and what the panel wants to be seen at least."""
    custom = panel.json["fieldConfig"]["defaults"]["custom"]
    highest = max([*values, custom.get("axisSoftMax", 0) * _UNITS.get(panel.unit, (1, ""))[0], 0])
    lowest = min([*values, 0])
    if custom.get("axisCenteredZero"):
        highest = max(highest, -lowest)
        lowest = -highest
    return (lowest, highest) if highest > lowest else (0, 1)


def _colour(panel: Panel, name: str, number: int) -> str:
    """The one that the panel fixes for the name, else the next."""
    for override in panel.json["fieldConfig"]["overrides"]:
        fixed = [found["value"]["fixedColor"] for found in override["properties"] if found["id"] == "color"]
        if fixed and re.search(override["matcher"]["options"].strip("/"), name):
            return _FIXED[fixed[0]]
    return _PALETTE[number % len(_PALETTE)]


_DASHES = {"dasharray": "6, 4"}


def _stroke(name: str) -> dict[str, str]:
    return _DASHES if name.startswith((OBJECTIVE, LIMIT)) else {}


def _said(value: float, unit: str) -> str:
    """A number with its unit, short."""
    if unit == "bytes":
        return f"{value / 2**30:.3g} GiB"
    if unit == "bool_yes_no":
        return "yes" if value else "no"
    factor, suffix = _UNITS.get(unit, (1, ""))
    if unit == "s" and abs(value) < 1:
        return f"{value * 1000:.3g} ms"
    shown_value = value * factor
    return f"{shown_value:,.0f}{suffix}" if abs(shown_value) >= 100 else f"{shown_value:.3g}{suffix}"


def _text(x: float, y: float, text: str, size: int, colour: str, *, bold: bool = False, middle: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text x="{x}" y="{y}" font-size="{size}" fill="{colour}"{weight}{anchor}>{escape(text)}</text>'


if __name__ == "__main__":
    main(Path(sys.argv[1]))
