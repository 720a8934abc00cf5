"""Dashboard of cost: what running pods request, at the prices of this cluster, by whom it is for."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from bento_gitops.observing.dashboards.boards import board, of_all_applications
from bento_gitops.observing.dashboards.panels import Query, lines, number, rows
from bento_gitops.observing.dashboards.queries import FACTS, USERS, WORKLOADS, of_workloads, requested

PRICES = {"price_cpu": "A core, an hour", "price_memory": "A GiB of memory, an hour", "price_gpu": "A GPU, an hour"}
"""The dashboard's variables; their values come from the chart's."""
HOURS = 730
"""Of a month."""

_RESOURCES = {
    "price_cpu": requested("cpu"),
    "price_memory": f"{requested('memory')} / 2^30",
    "price_gpu": requested("nvidia_com_gpu"),
}
_COST = of_workloads(" or ".join(f"{query} * ${price}" for price, query in _RESOURCES.items()))
_BUNDLE = "environment, application, bundle"
_MONEY = "of the currency of the prices"


def cost() -> dashboard.Dashboard:
    """Money an hour by application, bundle, component and tenant; for 1,000 requests; of tracks beside the stable one."""
    prices = [
        dashboard.TextBoxVariable(name).label(label).default_value("0").description("From the values of bento-platform.")
        for name, label in PRICES.items()
    ]
    currency = dashboard.TextBoxVariable("currency").label("Currency").default_value("EUR")
    made = board(
        "cost",
        "Bento / Cost",
        "CPU, memory and GPUs that running pods request, at a price each: what applications keep others from using. Idle nodes,"
        " disks and traffic are not in it. Another price above is only for you and until you leave.",
        [*of_all_applications(), *prices, currency],
    )
    for panel in _panels():
        made.with_panel(panel)
    return made


def _known(query: str, label: str) -> str:
    """The query with a name for series that lack the label."""
    return f'label_replace({query}, "{label}", "(none)", "{label}", "^$")'


def _panels():
    requests = f"avg_over_time(bento:requests:rate1m{{{USERS}}}[1h])"
    # Beside the labels of the requests are those of who they are for.
    by = "on (namespace, application, environment, track, bundle, component, role) group_left (tenant)"
    asked = f"sum by (tenant) ({_known(f'{requests} * {by} ({WORKLOADS})', 'tenant')})"
    return [
        number("An hour, in $currency", f"All that is chosen above, {_MONEY}.", "none", Query(f"sum({_COST})"), decimals=2),
        number("A month at this rate", f"{HOURS} hours of it.", "short", Query(f"sum({_COST}) * {HOURS}"), decimals=0),
        number(
            "Beside stable, an hour",
            "Candidates and standbys: what safety of releases costs now.",
            "none",
            Query(f"sum({_COST} * on (application, environment, track) group_left () (bento:stable{{{FACTS}}} == bool 0))"),
            decimals=2,
        ),
        number("Cores requested", "By running pods.", "short", Query(f"sum({of_workloads(requested('cpu'))})"), decimals=1),
        number("Memory requested", "By running pods.", "bytes", Query(f"sum({of_workloads(requested('memory'))})"), decimals=1),
        number(
            "Requests to apis",
            "A second, on average over an hour.",
            "reqps",
            Query(f"sum({requests})"),
        ),
        lines(
            "By application, an hour, in $currency",
            "In each environment.",
            "none",
            Query(f"sum by (environment, application) ({_COST})", "{{application}} {{environment}}"),
            stacked=True,
        ),
        lines(
            "By tenant, an hour, in $currency",
            "The label `tenant` of applications; (none) has none.",
            "none",
            Query(f"sum by (tenant) ({_known(_COST, 'tenant')})", "{{tenant}}"),
            stacked=True,
        ),
        lines(
            "By cost center, an hour, in $currency",
            "The label `cost-center` of applications; (none) has none.",
            "none",
            Query(f"sum by (cost_center) ({_known(_COST, 'cost_center')})", "{{cost_center}}"),
            stacked=True,
        ),
        lines(
            "By bundle, an hour, in $currency",
            "During a rollout an application pays for two.",
            "none",
            Query(f"sum by ({_BUNDLE}) ({_COST})", "{{bundle}} {{application}} {{environment}}"),
            stacked=True,
        ),
        lines(
            "By component, an hour, in $currency",
            "Over all tracks.",
            "none",
            Query(f"sum by (environment, application, component) ({_COST})", "{{component}} {{application}} {{environment}}"),
            stacked=True,
        ),
        lines(
            "1,000 requests, in $currency",
            "A bundle's pods in an hour over what its api answered in that hour. A candidate at a low weight is dear.",
            "none",
            Query(
                f"sum by ({_BUNDLE}) ({_COST}) / (sum by ({_BUNDLE}) ({requests}) * 3.6 > 0)",
                "{{bundle}} {{application}} {{environment}}",
            ),
        ),
        rows(
            "Bundles, by component",
            "What runs now.",
            [
                (Query(f"sum by ({_BUNDLE}, component) ({of_workloads(requested('cpu'))})", "cores"), "short"),
                (Query(f"sum by ({_BUNDLE}, component) ({of_workloads(requested('memory'))})", "memory"), "bytes"),
                (Query(f"sum by ({_BUNDLE}, component) ({_COST})", "an hour"), "none"),
            ],
        ),
        rows(
            "Tenants",
            "What their applications cost and how much they are asked.",
            [
                (Query(f"sum by (tenant) ({_known(_COST, 'tenant')})", "an hour"), "none"),
                (Query(f"sum by (tenant) ({_known(_COST, 'tenant')}) * {HOURS}", "a month"), "none"),
                (Query(asked, "requests a second"), "reqps"),
            ],
        ),
    ]
