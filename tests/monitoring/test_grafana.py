"""The dashboards as files: they are what the code writes, Grafana's types read all of them, and nothing lies over something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from monitoring.grafana.write import FOLDER, dashboards

FILES = sorted(FOLDER.glob("*.json"))
each = pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)


def panels(path: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["panels"]
    return found


def test_the_files_are_what_the_code_writes() -> None:
    assert {path.name: path.read_text(encoding="utf-8") for path in FILES} == dashboards(), "run python -m monitoring.grafana.write"


def lost(before: Any, after: Any, at: str = "") -> list[str]:
    """What of `before` is not in `after`. Defaults that were added are not looked at."""
    if isinstance(before, dict) and isinstance(after, dict):
        return [path for key, value in before.items() for path in lost(value, after.get(key), f"{at}.{key}")]
    if isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        return [path for i, value in enumerate(before) for path in lost(value, after[i], f"{at}[{i}]")]
    return [] if before == after else [at]


@each
def test_grafanas_types_know_every_field(path: Path) -> None:
    """What they do not know is lost on the way through them."""
    register_default_plugins()
    before = json.loads(path.read_text(encoding="utf-8"))

    assert lost(before, through_grafanas_types(before)) == []
    before["panels"][1]["fieldConfig"]["defaults"]["units"] = "percent"
    assert lost(before, through_grafanas_types(before)) == [".panels[1].fieldConfig.defaults.units"]


def through_grafanas_types(read: Any) -> Any:
    return json.loads(JSONEncoder(sort_keys=True).encode(Dashboard.from_json(read)))


@each
def test_panels_have_their_own_number_and_place(path: Path) -> None:
    taken: dict[tuple[int, int], str] = {}
    for panel in panels(path):
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for cell in ((x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])):
            assert taken.setdefault(cell, panel["title"]) == panel["title"], cell

    assert len({panel["id"] for panel in panels(path)}) == len(panels(path))


@each
def test_a_panel_says_what_it_shows_in_which_unit(path: Path) -> None:
    for panel in panels(path):
        if panel["type"] != "row":
            assert panel["description"].endswith("."), panel["title"]
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


@each
def test_data_source_model_version_and_variant_can_be_chosen(path: Path) -> None:
    listed = json.loads(path.read_text(encoding="utf-8"))["templating"]["list"]

    assert [variable["name"] for variable in listed[:5]] == ["datasource", "job", "model", "version", "variant"]


def test_what_is_of_no_use_to_some_models_says_so_where_it_is_empty() -> None:
    row, said = "", {}
    for panel in panels(FOLDER / "model.json"):
        row = panel["title"] if panel["type"] == "row" else row
        if "of models that" in row and panel["type"] in ("timeseries", "status-history"):
            said.setdefault(row, set()).add(panel["fieldConfig"]["defaults"].get("noValue"))

    assert said == {
        "Accuracy, of models that answer classes": {"no labels of classes", "no predictions, or it answers values"},
        "Errors, of models that answer values": {"fewer than 50 labels, or it answers classes"},
        "Columns, of models that take tables": {"no rows, or it takes no tables"},
    }
