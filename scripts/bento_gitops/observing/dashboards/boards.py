"""How a dashboard is made of rows of panels: its variables, its address, its links, and its bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as model

from bento_gitops.observing.dashboards.panels import SOURCE

TAG = "bento-gitops"
PREFIX = "bento-"
SCHEMA_VERSION = 39
"""Of Grafana 10.4; 11 and 12 migrate it when they read it."""

_ALL = model.VariableOption(selected=True, text=["All"], value=["$__all"])
_STATES = "bento:pods_up"
"""The series that the variables are read from: every component that is scraped has it, with traffic or without."""


def board(name: str, title: str, description: str, variables: Sequence[cog.Builder[model.VariableModel]]) -> dashboard.Dashboard:
    """An empty dashboard at the address `bento-<name>`, linked with the others."""
    made = dashboard.Dashboard(title).uid(f"{PREFIX}{name}").description(description).tags([TAG])
    made.time("now-3h", "now").refresh("30s").timezone("browser").tooltip(model.DashboardCursorSync.CROSSHAIR).readonly()
    link = dashboard.DashboardLink("Bento").type(model.DashboardLinkType.DASHBOARDS).tags([TAG]).include_vars(True)
    made.link(link.keep_time(True).as_dropdown(False))
    made.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for variable in variables:
        made.with_variable(variable)
    return made.with_variable(_Runbooks())


class _Runbooks(dashboard.ConstantVariable):
    """Where the alerts' pages are: for links of panels, not for the eye. The chart sets it, or takes it and the links out."""

    def __init__(self) -> None:
        super().__init__("runbooks")
        self.value("docs/runbooks")

    def build(self) -> model.VariableModel:
        built = super().build()
        built.hide = model.VariableHide.HIDE_VARIABLE
        return built


def one(name: str, label: str, where: str) -> dashboard.QueryVariable:
    """A variable with one value: a label of the series that `where` filters."""
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(f"label_values({_STATES}{{{where}}}, {name})")
    return variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(model.VariableSort.ALPHABETICAL_ASC)


def some(name: str, label: str, where: str) -> dashboard.QueryVariable:
    """A variable with any number of values, at first all of them; "all" takes series without the label too."""
    return one(name, label, where).multi(True).include_all(True).all_value(".*").current(_ALL)


def of_one_application() -> list[dashboard.QueryVariable]:
    """Variables of a dashboard that speaks of one application in one environment."""
    return [
        one("environment", "Environment", ""),
        some("namespace", "Namespace", 'environment=~"$environment"'),
        one("application", "Application", 'environment=~"$environment",namespace=~"$namespace"'),
        some("component", "Component", 'environment=~"$environment",namespace=~"$namespace",application=~"$application"'),
    ]


def of_all_applications() -> list[dashboard.QueryVariable]:
    """Variables of a dashboard that speaks of everything in the cluster until somebody chooses."""
    return [
        some("environment", "Environment", ""),
        some("namespace", "Namespace", 'environment=~"$environment"'),
        some("application", "Application", 'environment=~"$environment",namespace=~"$namespace"'),
    ]


def text_of(made: dashboard.Dashboard) -> str:
    """The JSON that Grafana reads: same input, same bytes."""
    built = made.build()
    built.schema_version = SCHEMA_VERSION
    for number, panel in enumerate(built.panels or (), 1):
        panel.id_val = number
    return json.dumps(built, cls=JSONEncoder, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
