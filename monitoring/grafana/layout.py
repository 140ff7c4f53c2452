"""What both dashboards share: variables, rows of panels, links to each other, and where alerts are marked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from grafana_foundation_sdk.builders import dashboard
from grafana_foundation_sdk.models import dashboard as model

from monitoring.grafana.panels import SOURCE

#: Which series a panel is about: the variables of the dashboard as a selector.
JOB = 'job="$job"'
VARIANT = f'{JOB}, model="$model", version="$version", variant="$variant"'
#: The same where several may be chosen.
VARIANTS = f'{JOB}, model=~"$model", version=~"$version", variant=~"$variant"'

Rows = Mapping[str, Sequence[object]]


def page(name: str, about: str, variables: list[dashboard.QueryVariable | dashboard.CustomVariable], rows: Rows) -> dashboard.Dashboard:
    """A dashboard called "Veleta <name>": rows with a heading, each of panels from left to right and on."""
    built = dashboard.Dashboard(f"Veleta {name}").uid(f"veleta-{name}").description(about).tags(["veleta"])
    built = built.time("now-6h", "now").refresh("30s").timezone("browser").tooltip(model.DashboardCursorSync.CROSSHAIR).readonly()
    built = built.with_variable(dashboard.DatasourceVariable("datasource").label("Data source").type("prometheus"))
    for variable in variables:
        built = built.with_variable(variable)
    built = built.link(_others()).annotation(_alerts())
    number = 0
    for heading, panels in rows.items():
        number += 1
        built = built.with_row(dashboard.Row(heading).id(number))
        for panel in panels:
            number += 1
            built = built.with_panel(panel.id(number))  # type: ignore[attr-defined]
    return built


def recorded(rule: str, window: str) -> str:
    """What a rule has recorded of the chosen variant over a window."""
    return f'sum({rule}{{{VARIANT}, window="{window}"}})'


def found(name: str, label: str, query: str, several: bool = False) -> dashboard.QueryVariable:
    """A variable whose values Prometheus knows. The newest version comes first."""
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query({"query": query, "refId": name})
    variable = variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable = variable.sort(model.VariableSort.NUMERICAL_DESC if name == "version" else model.VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True).all_value(".*").current(_EVERY) if several else variable


def choice(name: str, label: str, values: list[str], chosen: str) -> dashboard.CustomVariable:
    """A variable with fixed values."""
    options = [model.VariableOption(text=value, value=value, selected=value == chosen) for value in values]
    variable = dashboard.CustomVariable(name).label(label).values(",".join(values)).options(options)
    return variable.current(next(option for option in options if option.selected))


_EVERY = model.VariableOption(text="All", value="$__all", selected=True)


def which(several: bool) -> list[dashboard.QueryVariable | dashboard.CustomVariable]:
    """Job, model, version and variant."""
    same = "=~" if several else "="
    chosen, variables = JOB, [found("job", "Job", "label_values(veleta_predictions_total, job)")]
    for name in ("model", "version", "variant"):
        variables.append(found(name, name.capitalize(), f"label_values(veleta_predictions_total{{{chosen}}}, {name})", several))
        chosen += f', {name}{same}"${name}"'
    return [*variables]


def _others() -> dashboard.DashboardLink:
    link = dashboard.DashboardLink("Veleta").type(model.DashboardLinkType.DASHBOARDS).tags(["veleta"])
    return link.include_vars(True).keep_time(True).as_dropdown(False)


def _alerts() -> dashboard.AnnotationQuery:
    expression = 'ALERTS{alertname=~"Veleta.*", alertstate="firing"}'
    return dashboard.AnnotationQuery().name("Alerts").datasource(SOURCE).enable(True).icon_color("red").expr(expression)
