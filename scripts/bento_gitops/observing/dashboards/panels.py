"""How a panel is made: Grafana's builders with what all panels of all dashboards have in common."""

from __future__ import annotations

import string
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from grafana_foundation_sdk.builders import common as options
from grafana_foundation_sdk.builders import dashboard, heatmap, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models import common
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models import heatmap as heatmap_model
from grafana_foundation_sdk.models import prometheus as prometheus_model

from bento_gitops.observing.dashboards.queries import FACTS

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
OBJECTIVE = "objective"
"""The legend of a limit that the values state: a dashed red line in every panel."""
LIMIT = "limit"
STEP = "30s"
"""Rules are evaluated so often; more points would say nothing more."""

# Tracks are mostly named after colours, and a reader expects to see them.
_TRACKS = {"blue": "blue", "green": "green"}


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel and how its series are called there."""

    expr: str
    legend: str = ""


class _Panel(Protocol):
    """What the builders of all kinds of panel have."""

    def title(self, title: str) -> Self: ...
    def description(self, description: str) -> Self: ...
    def datasource(self, datasource: model.DataSourceRef) -> Self: ...
    def with_target(self, target: cog.Builder[variants.Dataquery]) -> Self: ...
    def links(self, links: list[cog.Builder[model.DashboardLink]]) -> Self: ...
    def interval(self, interval: str) -> Self: ...
    def span(self, w: int) -> Self: ...
    def height(self, h: int) -> Self: ...


_Kind = TypeVar("_Kind", bound=_Panel)


def lines(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    runbooks: Sequence[str] = (),
    width: int = 8,
    stacked: bool = False,
    tracks: bool = False,
    full: float | None = None,
    thresholds: Sequence[float] = (),
    signed: bool = False,
) -> timeseries.Panel:
    """Values over time.

    `tracks`: a series is a track and has its colour. `full`: the least top of the scale, so that little does not look much.
    `thresholds`: dashed lines where alerts begin. `signed`: values may be below zero.
    """
    panel = timeseries.Panel().unit(unit).fill_opacity(30 if stacked else 8).line_width(2 if tracks else 1)
    panel.show_points(common.VisibilityMode.AUTO).span_nulls(False)
    panel.color_scheme(dashboard.FieldColor().mode(model.FieldColorModeId.PALETTE_CLASSIC_BY_NAME))
    panel.legend(
        options.VizLegendOptions()
        .show_legend(True)
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
    )
    panel.tooltip(options.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING))
    if not signed:
        panel.min(0)
    else:
        panel.axis_centered_zero(True)
    if full is not None:
        panel.axis_soft_max(full)
    if stacked:
        panel.stacking(options.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    if thresholds:
        steps = [model.Threshold(None, "transparent"), *(model.Threshold(value, "red") for value in thresholds)]
        panel.thresholds(dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps))
        panel.thresholds_style(options.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED))
    if tracks:
        for name, colour in _TRACKS.items():
            panel.override_by_regexp(f"/^{name}\\b/", [_fixed(colour)])
    for word in (OBJECTIVE, LIMIT):
        if any(query.legend.startswith(word) for query in queries):
            dashes = model.DynamicConfigValue("custom.lineStyle", {"fill": "dash", "dash": [8, 8]})
            panel.override_by_regexp(f"/^{word}/", [_fixed("red"), dashes, model.DynamicConfigValue("custom.fillOpacity", 0)])
    return _with_queries(panel, title, description, queries, runbooks, width, 8)


def weights(*, width: int) -> timeseries.Panel:
    """What each track is to get of the live requests."""
    return lines(
        "Weights",
        "Percent of live requests that each track is to get.",
        "percent",
        Query(f"max by (track, bundle) (bento:weight{{{FACTS}}})", "{{track}} ({{bundle}})"),
        tracks=True,
        stacked=True,
        full=100,
        width=width,
    )


def number(
    title: str,
    description: str,
    unit: str,
    *queries: Query,
    runbooks: Sequence[str] = (),
    width: int = 4,
    decimals: int | None = None,
) -> stat.Panel:
    """The newest value of each series."""
    panel = stat.Panel().unit(unit).graph_mode(common.BigValueGraphMode.NONE).color_mode(common.BigValueColorMode.NONE)
    panel.text_mode(
        common.BigValueTextMode.VALUE_AND_NAME if any(query.legend for query in queries) else common.BigValueTextMode.VALUE
    )
    panel.reduce_options(options.ReduceDataOptions().calcs(["lastNotNull"]).values(False))
    if decimals is not None:
        panel.decimals(decimals)
    return _with_queries(panel, title, description, queries, runbooks, width, 4)


def buckets(
    title: str, description: str, unit: str, query: Query, *, runbooks: Sequence[str] = (), width: int = 8, repeat: str = ""
) -> heatmap.Panel:
    """A histogram over time; the query gives one series for each `le`."""
    panel = heatmap.Panel().calculate(False).show_legend()
    panel.y_axis(heatmap.YAxisConfig().unit(unit).axis_placement(common.AxisPlacement.LEFT))
    colours = heatmap.HeatmapColorOptions().mode(heatmap_model.HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    panel.color(colours.fill("dark-orange").exponent(0.5))
    panel.filter_values(heatmap.FilterValueRange().le(1e-9))
    if repeat:
        panel.repeat(repeat).repeat_direction("h")
    return _with_queries(panel, title, description, [query], runbooks, width, 8, prometheus_model.PromQueryFormat.HEATMAP)


def rows(
    title: str, description: str, columns: Sequence[tuple[Query, str]], *, runbooks: Sequence[str] = (), width: int = 12
) -> table.Panel:
    """Values of now by the labels that the queries share; a column is a query, whose legend is the heading, and a unit."""
    panel = table.Panel()
    queries = [query for query, _ in columns]
    headings = {f"Value #{letter}": query.legend for letter, query in zip(string.ascii_uppercase, queries, strict=False)}
    if len(queries) == 1:
        headings = {"Value": queries[0].legend}
    panel.with_transformation(model.DataTransformerConfig("merge", options={}))
    panel.with_transformation(
        model.DataTransformerConfig(
            "organize", options={"excludeByName": {"Time": True}, "indexByName": {}, "renameByName": headings}
        )
    )
    for query, unit in columns:
        panel.override_by_name(query.legend, [model.DynamicConfigValue("unit", unit)])
    return _with_queries(panel, title, description, queries, runbooks, width, 8, prometheus_model.PromQueryFormat.TABLE)


def _with_queries(
    panel: _Kind,
    title: str,
    description: str,
    queries: Sequence[Query],
    runbooks: Sequence[str],
    width: int,
    height: int,
    how: prometheus_model.PromQueryFormat = prometheus_model.PromQueryFormat.TIME_SERIES,
) -> _Kind:
    panel.title(title).description(description).datasource(SOURCE).interval(STEP).span(width).height(height)
    panel.links([dashboard.DashboardLink(alert).url(f"${{runbooks}}/{alert}.md").target_blank(True) for alert in runbooks])
    for letter, query in zip(string.ascii_uppercase, queries, strict=False):
        target = prometheus.Dataquery().ref_id(letter).expr(query.expr).format(how)
        if query.legend and how is not prometheus_model.PromQueryFormat.TABLE:
            target.legend_format(query.legend)
        panel.with_target(target.instant() if how is prometheus_model.PromQueryFormat.TABLE else target.range())
    return panel


def _fixed(colour: str) -> model.DynamicConfigValue:
    return model.DynamicConfigValue("color", {"mode": "fixed", "fixedColor": colour})
