"""The index page as a test sees it: what it shows, what its console says, whom it asks."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from selenium.webdriver import ActionChains, Chrome, ChromeOptions, ChromeService
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from tests.live_server import wait_for

FLAGS = [
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--window-size=1280,900"),
]
LOGS = {"browser": "ALL", "performance": "ALL"}


def start_chromium(profile: Path) -> Chrome:
    """A headless Chromium of its own, with nothing remembered."""
    options = ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*FLAGS, f"--user-data-dir={profile}"]:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", LOGS)
    return Chrome(options, ChromeService("/usr/bin/chromedriver"))


class Page:
    """The page in a browser."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver
        self.url = ""
        self.tolerated: tuple[str, ...] = ()
        self.complaints: list[str] = []

    def open(self, url: str) -> None:
        """Load the page, with empty logs, and wait until it knows its model."""
        self.driver.get("about:blank")
        for log in LOGS:
            self.driver.get_log(log)
        self.url = url.partition("?")[0]
        self.driver.get(url)
        self.wait(lambda: self.text("#ready") == "ready")

    def all(self, selector: str) -> list[WebElement]:
        found: list[WebElement] = self.driver.find_elements(By.CSS_SELECTOR, selector)
        return found

    def find(self, selector: str) -> WebElement:
        found: WebElement = self.wait(lambda: next(iter(self.all(selector)), None), f"no {selector}")
        return found

    def text(self, selector: str) -> str:
        """What a person can read there; empty when it is hidden."""
        return self.find(selector).text.replace("\u202f", " ")

    def run(self, script: str, *arguments: Any) -> Any:
        return self.driver.execute_script(script, *arguments)

    def wait(self, holds: Callable[[], Any], words: str = "") -> Any:
        return wait_for(holds, 15, lambda: words)

    def wait_text(self, selector: str, part: str) -> None:
        wait_for(lambda: part in self.text(selector), 15, lambda: f"{selector} says {self.text(selector)!r}, not {part!r}")

    def draw(self, *strokes: Sequence[tuple[int, int]], rest: float = 0) -> None:
        """Strokes in the canvas's own 280 × 280 points, by the mouse, which rests so many seconds at the end of each."""
        pad = self.find("#pad")
        scale = pad.size["width"] / 280
        for stroke in strokes:
            actions = ActionChains(self.driver, duration=20)
            places = [(round((x - 140) * scale), round((y - 140) * scale)) for x, y in stroke]
            actions.move_to_element_with_offset(pad, *places[0]).click_and_hold()
            for place in places[1:]:
                actions.move_to_element_with_offset(pad, *place)
            actions.pause(rest).release().perform()

    def label(self) -> str:
        return self.text("#label")

    def shares(self) -> list[float]:
        """The lengths of the bars, 0 to 1."""
        script = "return [...document.querySelectorAll('#bars .fill')].map(bar => parseFloat(bar.style.getPropertyValue('--share')))"
        found: list[float] = self.run(script)
        return found

    def say_it_was(self, label: str) -> None:
        next(button for button in self.all("#truth-buttons button") if button.text == label).click()

    def show_as(self, width: int, scheme: str) -> None:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def as_usual(self) -> None:
        self.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def photograph(self, path: Path) -> None:
        """The whole page, also below the fold."""
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True})
        path.write_bytes(base64.b64decode(picture["data"]))

    def leave(self) -> None:
        """Go away, and keep what there is to complain of. A page left open would ask a server that has been stopped."""
        if self.url:
            self.complaints = self._console() + self._asked_elsewhere()
            self.driver.get("about:blank")
            self.url = ""

    def _console(self) -> list[str]:
        entries = [entry["message"] for entry in self.driver.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")]
        return [entry for entry in entries if not any(part in entry for part in self.tolerated)]

    def _asked_elsewhere(self) -> list[str]:
        """Addresses that were asked for and are not the server's."""
        events = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        assert any(address.startswith(self.url) for address in asked), "the log of requests is empty"
        return [address for address in asked if not address.startswith((self.url, "blob:", "data:"))]
