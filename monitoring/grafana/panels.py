"""The kinds of panels that the dashboards are made of: a title, what to make of it, a unit and queries (legend → PromQL).

Every panel takes its data source, and nothing else, from a variable of the dashboard.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    dashboard,
    heatmap,
    prometheus,
    stat,
    statetimeline,
    statushistory,
    table,
    timeseries,
)
from grafana_foundation_sdk.models import common as shapes
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = shapes.DataSourceRef(type_val="prometheus", uid="${datasource}")
GREEN, YELLOW, ORANGE, RED, BLUE = "green", "yellow", "orange", "red", "blue"
#: Heights in units of the grid, of which 24 are the width.
_LOW, _HIGH = 4, 8

Queries = Mapping[str, str]
Steps = Mapping[float, str]
Drawn = TypeVar(
    "Drawn",
    timeseries.Panel,
    stat.Panel,
    statetimeline.Panel,
    statushistory.Panel,
    heatmap.Panel,
    bargauge.Panel,
    barchart.Panel,
    table.Panel,
)


def number(
    title: str, what: str, unit: str, query: str, steps: Steps | None = None, nothing: str = "not enough data", span: int = 4
) -> stat.Panel:
    """The value of now, large; `steps` colours it from each value on, and `nothing` is written where there is no data."""
    panel = _asked(stat.Panel(), title, what, unit, {}, nothing).height(_LOW).span(span)
    panel = panel.with_target(_query("A", "", query).instant()).graph_mode(shapes.BigValueGraphMode.NONE)
    return panel.thresholds(_thresholds(steps or {}, BLUE if not steps else GREEN)).color_scheme(_by_thresholds())


def lines(
    title: str, what: str, unit: str, queries: Queries, span: int = 8, steps: Steps | None = None, nothing: str | None = None
) -> timeseries.Panel:
    """Values over time; `steps` are drawn as lines."""
    panel = _asked(timeseries.Panel(), title, what, unit, queries, nothing).height(_HIGH).span(span)
    panel = panel.fill_opacity(5).show_points(shapes.VisibilityMode.NEVER).legend(_legend()).tooltip(_tooltip())
    if steps:
        style = common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
        panel = panel.thresholds(_thresholds(steps, GREEN)).thresholds_style(style)
    return panel


def shares(title: str, what: str, queries: Queries, span: int = 8) -> timeseries.Panel:
    """How much of the whole each part is, over time."""
    stacked = common.StackingConfig().mode(shapes.StackingMode.PERCENT).group("A")
    return lines(title, what, "percentunit", queries, span).stacking(stacked).fill_opacity(60).line_width(0)


def shades(
    title: str, what: str, query: Queries, unit: str, steps: Steps, span: int = 12, nothing: str | None = None
) -> statushistory.Panel:
    """One row for each series, coloured by its value at each time."""
    panel = _asked(statushistory.Panel(), title, what, unit, query, nothing).height(10).span(span)
    panel = panel.thresholds(_thresholds(steps, GREEN)).color_scheme(_by_thresholds()).show_value(shapes.VisibilityMode.NEVER)
    return panel.legend(_legend()).decimals(2).max_data_points(120)


def states(
    title: str, what: str, query: Queries, names: Mapping[str, tuple[str, str]], span: int = 12, height: int = _HIGH
) -> statetimeline.Panel:
    """One row for each series; `names` says for each value its word and colour."""
    mapping = model.ValueMap({value: model.ValueMappingResult(text=word, color=colour) for value, (word, colour) in names.items()})
    panel = _asked(statetimeline.Panel(), title, what, "none", query).height(height).span(span)
    return panel.mappings([mapping]).merge_values(True).show_value(shapes.VisibilityMode.NEVER).legend(_legend())


def buckets(title: str, what: str, unit: str, query: str, span: int = 8) -> heatmap.Panel:
    """A histogram over time; the query gives the rate of each bucket `le`."""
    panel = _asked(heatmap.Panel(), title, what, "short", {}).height(_HIGH).span(span)
    panel = panel.with_target(_query("A", "{{le}}", query).format(PromQueryFormat.HEATMAP)).calculate(False).cell_gap(1)
    colour = heatmap.HeatmapColorOptions().mode(HeatmapColorMode.SCHEME).scheme("Oranges").steps(64)
    return panel.color(colour).y_axis(heatmap.YAxisConfig().unit(unit))


def bars(title: str, what: str, unit: str, queries: Queries, span: int = 8, highest: float = 1) -> bargauge.Panel:
    """The values of now as bars from 0 to `highest`."""
    panel = _asked(bargauge.Panel(), title, what, unit, {}).height(_HIGH).span(span).min(0).max(highest)
    for ref, (legend, query) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(_query(ref, legend, query).instant())
    return panel.orientation(shapes.VizOrientation.HORIZONTAL).thresholds(_thresholds({}, BLUE)).color_scheme(_by_thresholds())


def compared(title: str, what: str, unit: str, by: str, queries: Queries, span: int = 12) -> barchart.Panel:
    """Values of now side by side, for each value of the label `by`."""
    panel = _asked(barchart.Panel(), title, what, unit, {}).height(_HIGH).span(span).x_field(by).legend(_legend())
    for ref, (legend, query) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(_query(ref, legend, query).instant().format(PromQueryFormat.TABLE))
        panel = panel.override_by_name(f"Value #{ref}", [model.DynamicConfigValue(id_val="displayName", value=legend)])
    panel = panel.with_transformation(_transformation("joinByField", byField=by, mode="outer"))
    return panel.with_transformation(_transformation("filterFieldsByName", exclude={"pattern": "Time.*"}))


def matrix(title: str, what: str, query: str, rows: str, columns: str, span: int = 12) -> table.Panel:
    """The values of now as a table of two labels."""
    panel = _asked(table.Panel(), title, what, "short", {}).height(10).span(span)
    panel = panel.with_target(_query("A", "", query).instant().format(PromQueryFormat.TABLE))
    grouped = _transformation("groupingToMatrix", rowField=rows, columnField=columns, valueField="Value")
    return panel.with_transformation(grouped).decimals(0)


def listed(title: str, what: str, query: str, labels: Mapping[str, str], span: int = 12) -> table.Panel:
    """The labels of each series of now; `labels` maps those shown to their headings, in order."""
    panel = _asked(table.Panel(), title, what, "none", {}).height(_HIGH).span(span)
    panel = panel.with_target(_query("A", "", query).instant().format(PromQueryFormat.TABLE))
    order = {label: place for place, label in enumerate(labels)}
    return panel.with_transformation(
        _transformation("organize", excludeByName={"Time": True, "Value": True}, indexByName=order, renameByName=dict(labels))
    )


def _asked(panel: Drawn, title: str, what: str, unit: str, queries: Queries, nothing: str | None = None) -> Drawn:
    """What all panels have; `nothing` is what it says where there is no data, if that is not "No data"."""
    panel = panel.title(title).description(what).unit(unit).datasource(SOURCE)
    panel = panel.no_value(nothing) if nothing else panel
    for ref, (legend, query) in zip("ABCDEFGH", queries.items(), strict=False):
        panel = panel.with_target(_query(ref, legend, query))
    return panel


def _query(ref: str, legend: str, query: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().expr(" ".join(query.split())).legend_format(legend).ref_id(ref).datasource(SOURCE)


def _thresholds(steps: Steps, lowest: str) -> dashboard.ThresholdsConfig:
    found = [model.Threshold(value=None, color=lowest), *(model.Threshold(value=value, color=colour) for value, colour in steps.items())]
    return dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(found)


def _by_thresholds() -> dashboard.FieldColor:
    return dashboard.FieldColor().mode(model.FieldColorModeId.THRESHOLDS)


def _legend() -> common.VizLegendOptions:
    return common.VizLegendOptions().display_mode(shapes.LegendDisplayMode.LIST).placement(shapes.LegendPlacement.BOTTOM).show_legend(True)


def _tooltip() -> common.VizTooltipOptions:
    return common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.DESCENDING)


def _transformation(kind: str, **options: Any) -> model.DataTransformerConfig:
    return model.DataTransformerConfig(id_val=kind, options=options)
