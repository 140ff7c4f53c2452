"""A browser for all tests of the page, and the real server that they look at."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.browser.fake_server import FakeServer, playing
from tests.browser.page import Page, start_chromium
from tests.live_server import LiveServer


@pytest.fixture(scope="module")
def page_server(server: LiveServer) -> str:
    """The address of the page on a real `veleta serve`."""
    return f"{server.url}/"


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chrome]:
    if not Path("/usr/bin/chromium").exists() and not os.environ.get("CI"):
        pytest.skip("Debian's chromium is not installed")
    driver = start_chromium(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()


@pytest.fixture
def page(chromium: Chrome) -> Iterator[Page]:
    """The page. Whatever a test does with it, its console stays quiet and it asks nobody but its server."""
    found = Page(chromium)
    yield found
    found.leave()
    found.as_usual()
    assert found.complaints == []


@pytest.fixture
def fake(page: Page) -> Iterator[FakeServer]:
    with playing(FakeServer()) as found:
        yield found
        page.leave()
