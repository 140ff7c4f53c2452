"""Scenes that a real server shows seldom: drift over its limit, a label refused, a new version, many classes, no answer."""

from __future__ import annotations

import io
import time

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

from tests.browser.fake_server import PREFIX, FakeServer
from tests.browser.page import Page

pytestmark = pytest.mark.browser

MANY = ["centroid_x", "class", "column:age", "edges", "ink", "mean"]
SEVEN = [(30, 60), (80, 60), (130, 60), (100, 120), (80, 160)]  # small and off the centre


def rows(page: Page, state: str) -> list[str]:
    return [row.text for row in page.all(f"#drift [data-state='{state}']")]


def test_a_signal_over_its_limit_is_marked_and_said_once(page: Page, fake: FakeServer) -> None:
    fake.state = "over"
    page.open(fake.url)
    page.wait_text("#drift-words", "1 of 10 signals over the limit")
    (row,) = rows(page, "over")
    assert row.split("\n") == ["mean", "7.8× limit", "0.312 of 0.040"]
    assert float(page.run("return document.querySelector('#drift [data-state=over]').style.getPropertyValue('--share')")) == 1
    fake.state = "ok"
    page.wait_text("#drift-words", "all within their limits")


def test_an_alarm_says_since_when_what_and_why_and_goes_once_it_was_seen(page: Page, fake: FakeServer) -> None:
    page.open(fake.url)
    page.wait_text("#alarm", "None. At most one false alarm in 30 days.")
    fake.alarms = [{"signal": "centroid_x", "severity": "warning", "log_evidence": 9.2, "overdispersion": 1.0}]
    page.wait_text("#alarm", "Nothing certain yet; centroid x may be changing.")
    assert not page.find("#alarm-seen").is_displayed()

    fake.alarm = {"incident": "digits.1.int8.5", "raised_at": time.time(), "since": time.time() - 47, "signals": dict.fromkeys(MANY, 13.5)}
    page.wait_text("#alarm-words", "centroid x, class, age, edges and 2 more.")
    page.wait_text("#alarm-cause", "Likely cause: broken client. All look as if inverted. Accuracy 97.0 % before, 41.0 % now as estimated.")
    assert page.text("#alarm-words").startswith("Something has changed since ")
    assert page.find("#alarm-details").get_attribute("href") == f"{fake.url}incidents/digits.1.int8.5"

    page.find("#alarm-details").send_keys(Keys.TAB)
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    page.wait_text("#alarm", "None.")
    assert fake.alarm is None
    assert not page.find("#alarm-cause").is_displayed()


def test_a_label_of_an_incident_is_only_text(page: Page, fake: FakeServer) -> None:
    fake.alarm = {"incident": "digits.1.int8.5", "raised_at": 0.0, "since": 0.0, "signals": {"<img src=x onerror=alert(1)>": 13.5}}
    page.open(fake.url)
    page.wait_text("#alarm-words", "<img src=x onerror=alert(1)>.")
    assert "1 Jan" in page.text("#alarm-words")


def test_bars_are_relative_to_the_limit(page: Page, fake: FakeServer) -> None:
    page.open(fake.url)
    page.wait_text("#drift-words", "all within their limits")
    shares = page.run("return [...document.querySelectorAll('#drift > li')].map(row => +row.style.getPropertyValue('--share'))")
    assert shares == pytest.approx([0.003 * place / 0.04 / 2 for place in range(10)], abs=1e-3)


def test_not_enough_data_is_a_state_of_its_own(page: Page, fake: FakeServer) -> None:
    fake.state = "not enough data"
    page.open(fake.url)
    page.wait_text("#drift-words", "not enough data yet")
    assert [row.split("\n")[1:] for row in rows(page, "not enough data")] == [["not enough data", "12 rows"]] * 10
    assert page.text("#accuracy") == "–"


def test_an_explanation_opens_and_outlives_the_next_figures(page: Page, fake: FakeServer) -> None:
    page.open(fake.url)
    page.wait(lambda: rows(page, "ok"))
    page.find("[data-signal='ink psi'] button").click()
    assert "brighter than half" in page.text("[data-signal='ink psi'] .signal-words")
    fake.state = "over"
    page.wait(lambda: rows(page, "over"))
    assert page.find("[data-signal='ink psi'] .signal-words").is_displayed()


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("matched", "Counted: it was 3."),
        ("duplicate", "Already counted: you said 3 before."),
        ("conflict", "Not counted: another label was given for this answer before."),
        ("unknown", "Not counted: the server does not know this answer."),
        ("expired", "Not counted: this answer is too old to be labelled."),
        ("invalid", "Not counted: the server takes neither this label nor this answer."),
    ],
)
def test_each_outcome_of_a_label_is_put_into_words(page: Page, fake: FakeServer, outcome: str, words: str) -> None:
    fake.outcome = outcome
    page.open(fake.url)
    page.find(".sample").click()
    page.wait(page.label)
    page.say_it_was("3")
    page.wait_text("#feedback", words)
    assert page.text("#feedback").startswith(words)


def test_a_new_live_version_is_announced(page: Page, fake: FakeServer) -> None:
    page.open(fake.url)
    assert page.text("#model-version") == "version 1"
    assert not page.find("#notice").is_displayed()
    fake.version = "2"
    page.wait_text("#notice", "Version 2 went live")
    assert page.text("#model-version") == "version 2"
    page.find("#notice-close").click()
    assert not page.find("#notice").is_displayed()


def test_of_a_hundred_classes_the_likeliest_show(page: Page, fake: FakeServer) -> None:
    fake.classes = [f"class {number}" for number in range(100)]
    page.open(fake.url)
    page.find(".sample").click()
    page.wait(page.label)
    names = [name.text for name in page.all("#bars .bar-label")]
    assert (names[0], names[-1], len(names)) == ("class 7", "90 others", 11)
    assert sum(page.shares()) == pytest.approx(1, abs=1e-3)
    page.find("#truth-buttons button").click()
    page.wait_text("#feedback", "Counted: it was class 0.")
    page.wait_text("#confusion", "class 1 taken for class 4: 1")


def test_a_drawing_is_sent_like_the_digits_of_mnist(page: Page, fake: FakeServer) -> None:
    page.open(fake.url)
    page.draw(SEVEN)
    page.wait(page.label)
    sent = np.asarray(Image.open(io.BytesIO(fake.asked[-1])).convert("L"), dtype=float)
    ink = np.argwhere(sent > 0)
    centre = (np.indices(sent.shape) * sent).sum(axis=(1, 2)) / sent.sum()
    assert sent.shape == (28, 28)
    assert (np.ptp(ink, axis=0) + 1).max() in (19, 20)
    assert np.abs(centre - 14).max() <= 0.5


def test_a_drawing_for_any_other_model_is_sent_whole(page: Page, fake: FakeServer) -> None:
    fake.shape = (32, 32, 3)
    page.open(fake.url)
    page.draw(SEVEN)
    page.wait(page.label)
    sent = Image.open(io.BytesIO(fake.asked[-1])).convert("L")
    assert sent.size == (280, 280)
    assert sent.getpixel((80, 60)) == 255


def test_two_strokes_are_one_question(page: Page, fake: FakeServer) -> None:
    page.open(fake.url)
    page.draw(SEVEN, [(60, 120), (120, 120)], rest=1)
    page.wait(page.label)
    time.sleep(1)  # longer than the hand has to rest: a second question would have come
    assert len(fake.asked) == 1


def test_a_row_goes_out_as_json(page: Page, fake: FakeServer) -> None:
    fake.kind, fake.shape, fake.classes = "tabular", (4,), ["setosa", "versicolor", "virginica"]
    page.open(fake.url)
    page.wait(lambda: page.find("#instance").get_attribute("value") == "[5.1, 3.5, 0, 0.2]")
    page.find("#ask-instance button").click()
    page.wait(page.label)
    assert fake.asked == [{"instances": [[5.1, 3.5, 0, 0.2]]}]


def test_a_server_that_is_gone_is_said_and_taken_up_again(page: Page, fake: FakeServer) -> None:
    page.tolerated = ("503 (SERVICE UNAVAILABLE)",)
    page.open(fake.url)
    fake.refusal = "the server is draining; send it again"
    page.wait_text("#watch-error", "the server is draining; send it again")
    page.find(".sample").click()
    page.wait_text("#error", "the server is draining; send it again")
    fake.refusal = ""
    page.wait(lambda: not page.find("#watch-error").is_displayed())
    assert page.text("#ready") == "ready"


def test_the_polling_rests_while_nobody_looks(page: Page, fake: FakeServer) -> None:
    page.open(fake.url)
    page.wait(lambda: rows(page, "ok"))
    page.driver.switch_to.new_window("tab")
    try:
        fake.watched = 0
        page.wait(lambda: page.run("return document.visibilityState") == "visible")
        page.run("return new Promise(done => setTimeout(done, 5000))")
        assert fake.watched <= 1
    finally:
        page.driver.close()
        page.driver.switch_to.window(page.driver.window_handles[0])
    page.wait(lambda: fake.watched >= 2, "the polling did not go on")


def test_it_works_behind_a_path_prefix(page: Page, fake: FakeServer) -> None:
    page.open(f"{fake.url}{PREFIX.lstrip('/')}/")  # and asks for nothing outside it, or the fixture complains
    page.find(".sample").click()
    page.wait(page.label)
    page.say_it_was("7")
    page.wait_text("#feedback", "Counted")
    assert page.run("return document.querySelector('.sample img').naturalWidth") == 28


def test_another_model_can_be_chosen(page: Page, fake: FakeServer) -> None:
    fake.models = ["digits", "letters"]
    page.open(fake.url)
    Select(page.find("#models")).select_by_visible_text("letters")
    page.wait(lambda: page.run("return document.title") == "letters · Veleta")
    assert page.text("#curl").endswith("/predict/letters")
