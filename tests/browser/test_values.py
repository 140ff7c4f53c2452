"""The page of a regression of a table, on a real server: a row goes out as JSON, its value comes back, and takes a label."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.browser.page import Page
from tests.live_server import running

pytestmark = pytest.mark.browser


def test_a_row_is_asked_about_and_its_value_told(page: Page, other_shelf: Path, tmp_path: Path) -> None:
    shutil.copytree(other_shelf, tmp_path / "store")
    with running(tmp_path / "store", "--workers", "1", "--tick-seconds", "0.2", "--model", "diabetes") as server:
        page.open(f"{server.url}/")
        page.wait(lambda: page.find("#instance").get_attribute("value").startswith("{"))
        row = json.loads(page.find("#instance").get_attribute("value"))
        assert page.text("#ask-hint") == "10 columns"
        page.find("#ask-instance button").click()
        page.wait(page.label)
        (answer,) = server.post("/predict/diabetes", json=row).json()["predictions"]

        assert float(page.label().replace(",", "")) == pytest.approx(answer["value"], rel=1e-3)
        assert " to " in page.text("#confidence")
        assert "the answer is off by" in page.text("#note")
        assert not page.all("#bars li")
        field = page.find("#truth-buttons input")
        assert float(field.get_attribute("value")) > 0
        page.find("#truth-buttons button").click()
        page.wait_text("#feedback", "Counted: it was ")
        page.wait_text("#accuracy-title", "Mean absolute error")
        page.wait_text("#accuracy-words", "Too few labels")
        page.leave()
