"""The whole loop by hand and eye: draw, read the answer, say what it was, see the numbers move. Over a real server."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from tests.browser.page import Page
from tests.live_server import LiveServer
from tests.small_models import Data

pytestmark = pytest.mark.browser

SEVEN = [(80, 70), (130, 68), (200, 66), (170, 130), (140, 220)]
HAND_OVER = """
    const bytes = Uint8Array.from(atob(arguments[1]), (letter) => letter.charCodeAt(0));
    const data = new DataTransfer();
    data.items.add(new File([bytes], "image.png", { type: "image/png" }));
    const options = { bubbles: true, cancelable: true };
    if (arguments[0] === "paste") document.body.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, ...options }));
    else for (const name of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(name, { dataTransfer: data, ...options }));
"""


def drop(page: Page, file: Path) -> None:
    page.run(HAND_OVER, "drop", base64.b64encode(file.read_bytes()).decode())


def paste(page: Page, file: Path) -> None:
    page.run(HAND_OVER, "paste", base64.b64encode(file.read_bytes()).decode())


def choose(page: Page, file: Path) -> None:
    page.find("#file").send_keys(str(file))


@pytest.fixture
def png(server: LiveServer, tmp_path: Path) -> Path:
    """Sample 3 of the real model, as a file."""
    (tmp_path / "image.png").write_bytes(server.get("/samples/digits8/3.png").content)
    return tmp_path / "image.png"


@pytest.fixture
def broken_png(png: Path) -> Path:
    png.write_bytes(png.read_bytes()[:40])
    return png


def labels(page: Page) -> int:
    return int(page.text("#labels").replace(",", "").replace("–", "0"))


def test_a_drawing_is_answered_labelled_and_counted(page: Page, page_server: str) -> None:
    page.open(page_server)
    page.wait(lambda: page.text("#labels") != "–")
    before = labels(page)
    page.draw(SEVEN)
    page.wait(page.label)
    assert page.label() in "0123456789"
    assert sum(page.shares()) == pytest.approx(1, abs=1e-3)
    assert page.text("#bars .answered .bar-label") == page.label()
    assert page.text("#bars .answered .bar-share") == page.text("#confidence")
    page.say_it_was(page.label())
    page.wait_text("#feedback", f"Counted: it was {page.label()}.")
    page.wait(lambda: labels(page) == before + 1, "the label was not counted")
    assert "95 % interval" in page.text("#accuracy-words")
    page.wait_text("#totals", " to learn from: veleta refresh digits")


def test_labels_sent_again_are_told_apart(page: Page, page_server: str) -> None:
    page.open(page_server)
    page.draw([(140, 60), (140, 140), (140, 220)])
    page.wait(page.label)
    for label, words in (("1", "Counted: it was 1."), ("1", "Already counted"), ("2", "Not counted: another label")):
        page.say_it_was(label)
        page.wait_text("#feedback", words)
        assert words in page.text("#feedback")


def test_a_sample_is_answered_and_its_own_label_told(page: Page, page_server: str, server: LiveServer) -> None:
    page.open(page_server)
    page.find(".sample:nth-child(4)").click()
    page.wait_text("#note", f"The sample is labelled {server.get('/samples/digits8').json()['samples'][3]['label']}")
    verdict = "right" if page.label() == page.text("#truth-buttons .suggested") else "wrong"
    assert page.text("#note").endswith(f"the answer is {verdict}.")
    assert page.find("#sent-image").is_displayed()


@pytest.mark.parametrize("hand_over", [drop, paste, choose])
def test_a_file_is_answered_as_the_server_answers_it(
    page: Page, page_server: str, server: LiveServer, png: Path, hand_over: Callable[[Page, Path], None]
) -> None:
    page.open(page_server)
    hand_over(page, png)
    page.wait(page.label)
    answer = server.post("/predict/digits8", data=png.read_bytes()).json()["predictions"][0]
    assert page.label() == answer["label"]
    assert page.shares() == pytest.approx(answer["probabilities"], abs=1e-3)


def test_a_broken_file_shows_the_servers_sentence(page: Page, page_server: str, server: LiveServer, broken_png: Path) -> None:
    page.tolerated = ("400 (BAD REQUEST)", "400 (Bad Request)")
    page.open(page_server)
    choose(page, broken_png)
    sentence = server.post("/predict/digits8", data=broken_png.read_bytes()).json()["error"]
    page.wait(lambda: page.text("#error") == sentence, sentence)
    assert not page.find("#answer").is_displayed()


def test_the_keyboard_is_enough(page: Page, page_server: str) -> None:
    page.open(page_server)
    page.find(".sample").send_keys(Keys.ENTER)
    page.wait(page.label)
    page.find("#truth-buttons button").send_keys(Keys.SPACE)
    page.wait_text("#feedback", "ounted")
    page.find("#windows input:checked").send_keys(Keys.ARROW_LEFT)
    page.wait_text("#drift-legend", "the last minute")
    assert page.find("#windows").find_element(By.CSS_SELECTOR, ":checked").get_attribute("value") == "1m"


def test_every_sample_shows_and_the_windows_are_there(page: Page, page_server: str, digits8: Data) -> None:
    page.open(page_server)
    pictures = "return [...document.querySelectorAll('.sample img')].map(image => image.naturalWidth)"
    page.wait(lambda: page.run(pictures) == [digits8.taken.shape[1]] * 24, "not all samples show")
    page.wait(lambda: [label.text for label in page.all("#windows label")] == ["1m", "10m", "1h", "24h"])
    assert page.find("#windows").find_element(By.CSS_SELECTOR, ":checked").get_attribute("value") == "10m"


def test_rows_of_a_table_are_asked_as_json(page: Page, page_server: str) -> None:
    page.open(f"{page_server}?model=iris")
    page.wait(lambda: page.find("#instance").get_attribute("value"))
    page.find("#ask-instance button").click()
    page.wait(page.label)
    assert page.label() in ("setosa", "versicolor", "virginica")
    page.wait_text("#note", "The sample is labelled")
    page.find("#instance").clear()
    page.find("#instance").send_keys("[1, 2", Keys.CONTROL, Keys.ENTER)
    page.wait_text("#error", "This is not JSON")
