"""The page of an incident in a real Chromium: by day and by night, on a narrow screen, under its own policy, without network."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageStat

from benchmarks.verdicts.changes import changes
from benchmarks.verdicts.run import run
from benchmarks.verdicts.world import Model, World, profiled
from models.store import Store
from monitoring.incidents.incident import Exhibit
from monitoring.incidents.page import render
from tests.browser.fake_server import FakeServer
from tests.browser.page import Page
from tests.browser.test_look import CONTRASTS, WCAG_AA
from tests.small_models import Data

pytestmark = pytest.mark.browser

DOT = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
LONG = "a_label_that_is_rather_longer_than_anybody_would_think_of"


@pytest.fixture(scope="module")
def incident_page(shelf: Path, digits8: Data) -> str:
    rng = np.random.default_rng(0)
    model = Model.of(Store(shelf).open("digits8", 1), "int8", digits8.test_x, digits8.test_y)
    inverted = next(change for change in changes() if change.name == "inversion")
    incident = run(World.make(model, profiled(model), rng), inverted, 1.0, rng).incidents[1]
    shown = [Exhibit(0.0, LONG, 0.98, 3.0, ("mean", "centroid_x"), DOT, ()), Exhibit(0.0, "<i>7", 0.5, 2.0, (), None, (0.25,) * 64)]
    return render(dataclasses.replace(incident, exhibits=(*shown, *[shown[0]] * 10)))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [380, 1100])
def test_it_is_whole_and_can_be_read(page: Page, fake: FakeServer, incident_page: str, tmp_path: Path, scheme: str, width: int) -> None:
    fake.incident_page = incident_page
    fake.alarm = {"incident": "digits8.1.int8.5", "raised_at": 1e9, "since": 1e9, "signals": {"mean": 13.5}}
    page.show_as(width, scheme)
    page.open(fake.url)
    page.wait(lambda: page.find("#alarm-details").is_displayed())
    page.find("#alarm-details").click()
    page.wait_text("h2", "Broken client")
    page.find("summary").click()

    assert page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    assert page.run("return [...document.images].map(image => image.naturalWidth)") == [1] * 11
    assert page.run("return getComputedStyle(document.querySelector('.cause')).borderLeftStyle") == "solid", "the style is let in"
    assert page.run("return document.querySelectorAll('rect.since').length") > 100
    found = page.run(CONTRASTS)
    assert len(found) > 60
    assert [(text, round(contrast, 2)) for text, contrast in found if contrast < WCAG_AA] == []
    page.photograph(tmp_path / "incident.png")
    mean = ImageStat.Stat(Image.open(tmp_path / "incident.png").convert("L")).mean[0]
    assert mean > 180 if scheme == "light" else mean < 60
