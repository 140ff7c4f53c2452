"""What the page looks like: nothing runs over the edge, everything can be read, by day and by night."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageStat

from tests.browser.fake_server import FakeServer
from tests.browser.page import Page

pytestmark = pytest.mark.browser

WCAG_AA = 4.5
ALARM = {"incident": "fashion.1.int8.5", "raised_at": 1e9, "since": 1e9, "signals": {"mean": 13.5, "centroid_x": 14.0}}
FASHION = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]

# Colours are read through a canvas, which knows every notation of CSS; backgrounds are laid over one another from the root.
CONTRASTS = """
    const brush = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    const paint = (colours) => {
        brush.clearRect(0, 0, 1, 1);
        for (const colour of colours) { brush.fillStyle = colour; brush.fillRect(0, 0, 1, 1); }
        return [...brush.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const linear = (value) => (value <= 10 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    const luminance = ([r, g, b]) => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    const line = (element) => (element ? [...line(element.parentElement), element] : []);
    const contrast = (element) => {
        const below = line(element).map((one) => getComputedStyle(one).backgroundColor);
        const over = element.closest(".pad-frame") ? ["#000"] : below;
        const [text, ground] = [paint([...over, getComputedStyle(element).color]), paint(over)].map(luminance);
        return (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    };
    const ownText = (element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    const seen = (element) => element.checkVisibility({ opacityProperty: true }) && !element.closest(".unseen, noscript");
    return [...document.body.querySelectorAll("*")].filter((element) => ownText(element) && seen(element))
        .map((element) => [element.textContent.trim().slice(0, 30), contrast(element)]);
"""


def fill(page: Page, fake: FakeServer) -> None:
    """A page with everything on it that can be there."""
    fake.state, fake.alarm, fake.labels = "over", ALARM, 120
    page.open(fake.url)
    page.find(".sample:nth-child(8)").click()
    page.wait(page.label)
    page.find("#truth-buttons button:nth-child(8)").click()
    page.wait_text("#feedback", "Counted")
    page.wait_text("#drift-words", "over the limit")
    page.wait_text("#alarm-cause", "Likely cause")


@pytest.mark.parametrize("width", [380, 400, 700, 768, 1119, 1280, 1600])
def test_nothing_runs_over_the_edge(page: Page, fake: FakeServer, width: int) -> None:
    fake.classes = FASHION
    page.show_as(width, "light")
    fill(page, fake)
    assert page.run("return innerWidth") == width
    assert page.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth") == 0
    over = """return [...document.querySelectorAll(".panel *:not(option)")]
        .filter(one => one.checkVisibility() && !one.closest(".unseen") &&
            one.getBoundingClientRect().right > one.closest(".panel").getBoundingClientRect().right)
        .map(one => one.outerHTML)"""
    assert page.run(over) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_can_be_read(page: Page, fake: FakeServer, scheme: str) -> None:
    page.show_as(1280, scheme)
    fill(page, fake)
    page.run("return Promise.allSettled(document.getAnimations().map(animation => animation.finished))")
    found = page.run(CONTRASTS)
    assert len(found) > 100
    assert [(text, round(contrast, 2)) for text, contrast in found if contrast < WCAG_AA] == []


@pytest.mark.parametrize("width", [400, 1280])
def test_it_is_light_by_day_and_dark_by_night(page: Page, fake: FakeServer, width: int, tmp_path: Path) -> None:
    brightness = {}
    for scheme in ("light", "dark"):
        page.show_as(width, scheme)
        fill(page, fake)
        page.photograph(tmp_path / f"{scheme}.png")
        brightness[scheme] = ImageStat.Stat(Image.open(tmp_path / f"{scheme}.png").convert("L")).mean[0]
    assert brightness["light"] > 180
    assert brightness["dark"] < 60


def test_every_control_has_a_name(page: Page, fake: FakeServer) -> None:
    fill(page, fake)
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    roles = ("button", "radio", "combobox", "textbox", "image", "group")
    controls = [node for node in tree if not node["ignored"] and node["role"]["value"] in roles]
    assert len(controls) > 40
    assert [node["role"]["value"] for node in controls if not node.get("name", {}).get("value")] == []
