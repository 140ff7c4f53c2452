"""The shipped rules and dashboards with a real Prometheus that scrapes a real server under traffic: clean first, then shifted.

The server has a model of classes and one of values; the images of the one are changed, and the labels of the other.

Windows and waits of the rules are divided by 60 (`tests.live_prometheus.compressed`), so that ten minutes last ten seconds.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from numpy.typing import NDArray

from tests.live_prometheus import LivePrometheus, watching
from tests.live_server import ROOT, LiveServer, running, wait_for
from tests.small_models import Data

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
    reason="needs Debian's packages prometheus and prometheus-alertmanager: tests/system_packages",
)
#: Seconds of clean traffic before anything is judged: the window of ten minutes and its wait, divided by 60.
CLEAN_SECONDS = 22
#: Alerts about how fast this machine is, which a test says nothing about. Prometheus itself takes five seconds to its first scrape.
ABOUT_THE_MACHINE = {"VeletaBudgetBurnsFast", "VeletaBudgetBurns", "VeletaDown", "VeletaAbsent", "VeletaWatchStale"}
DASHBOARDS = sorted((ROOT / "monitoring" / "grafana" / "dashboards").glob("*.json"))
#: Panels that are empty as long as nothing is wrong.
EMPTY_WHEN_WELL = {"Change began"}
#: Rows and panels that are of no use to a model of the other kind.
FOR_CLASSES = {"Accuracy, of models that answer classes", "Accuracy, last hour", "Accuracy when tested"}
FOR_VALUES = {
    "Errors, of models that answer values", "Columns, of models that take tables", "Mean error, last hour", "Mean error when tested",
}  # fmt: skip
#: What Grafana puts in for variables, and what is not looked at of that model.
CHOSEN = {
    "job": "veleta", "model": "digits8", "version": "1", "variant": "int8", "window": "10m", "signal": "ink",
    "__rate_interval": "5s", "__range": "1m",
}  # fmt: skip
SHOWN = {"digits8": (CHOSEN, FOR_VALUES), "diabetes": (CHOSEN | {"model": "diabetes", "signal": "column:bmi"}, FOR_CLASSES)}


class Traffic:
    """Held-back images and patients, drawn again with a seed, predicted and labelled some hundred a second; the images changed by what
    `change` says, the true values of the patients by `more`.

    And now and then somebody asks for a page that is not there.
    """

    def __init__(self, url: str, images: Data, patients: Data) -> None:
        self.change: Callable[[NDArray[Any]], NDArray[Any]] = lambda images: images
        self.more = 0.0
        self._url, self._images, self._patients, self._rng = url, images, patients, np.random.default_rng(0)
        self._session, self._stop = requests.Session(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            drawn = self._rng.integers(len(self._images.test_x), size=40)
            truth = [self._images.classes[number] for number in self._images.test_y[drawn]]
            self._ask_and_tell("digits8", self.change(self._images.test_x[drawn]).tolist(), truth)
            drawn = self._rng.integers(len(self._patients.tests), size=20)
            self._ask_and_tell("diabetes", [self._patients.tests[i] for i in drawn], (self._patients.test_y[drawn] + self.more).tolist())
            self._session.get(f"{self._url}/no-such-page", timeout=30)

    def _ask_and_tell(self, model: str, instances: list[Any], truth: list[Any]) -> None:
        answers = self._session.post(f"{self._url}/predict/{model}", json={"instances": instances}, timeout=30).json()["predictions"]
        labels = [{"id": answer["id"], "label": label} for answer, label in zip(answers, truth, strict=True)]
        self._session.post(f"{self._url}/feedback", json={"feedback": labels}, timeout=30)


@pytest.fixture(scope="module")
def clean_server(shelf: Path, other_shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    root = tmp_path_factory.mktemp("watched") / "store"
    shutil.copytree(shelf / "digits8", root / "digits8")
    shutil.copytree(other_shelf / "diabetes", root / "diabetes")
    with running(root, "--workers", "2", "--tick-seconds", "0.5") as found:
        yield found


@pytest.fixture(scope="module")
def traffic(clean_server: LiveServer, digits8: Data, patients: Data) -> Iterator[Traffic]:
    found = Traffic(clean_server.url, digits8, patients)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def prometheus(clean_server: LiveServer, traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePrometheus]:
    """Has watched clean traffic for long enough to judge it."""
    with watching(tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{clean_server.port}") as found:
        wait_for(lambda: found.query(f'count_over_time(up{{job="veleta"}}[1h]) >= {CLEAN_SECONDS}'), 120, found.log)
        yield found


def queries(path: Path, model: str) -> list[tuple[str, str]]:
    """Title and query of every target of every panel that is of use to a model, with the variables put in."""
    chosen, left_out = SHOWN[model]
    found, row = [], ""
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        row = panel["title"] if panel["type"] == "row" else row
        for target in panel.get("targets", []) if not {row, panel["title"]} & left_out else []:
            found.append((panel["title"], re.sub(r"\$(\w+)", lambda name: chosen[name[1]], target["expr"])))
    return found


def test_nothing_fires_on_clean_traffic_and_every_rule_can_be_evaluated(prometheus: LivePrometheus) -> None:
    fired = prometheus.query('count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))')

    assert {series["metric"]["alertname"] for series in fired} <= ABOUT_THE_MACHINE, fired
    assert prometheus.rule_errors() == []
    assert len(prometheus.query('signal:veleta_signal_bin:psi{window="10m"}')) >= 10


@pytest.mark.parametrize("model", SHOWN)
@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_shows_something(prometheus: LivePrometheus, path: Path, model: str) -> None:
    asked = queries(path, model)
    assert len(asked) >= 10
    for title, query in asked:
        found = prometheus.query(query)
        if not found and title not in EMPTY_WHEN_WELL:  # a scrape was missed: the next one has it
            wait_for(lambda query=query: prometheus.query(query), 30, lambda title=title, query=query: f"{title}: {query}")


def test_what_is_left_out_for_one_model_is_in_the_dashboard() -> None:
    titles = {panel["title"] for path in DASHBOARDS for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]}

    assert titles >= FOR_CLASSES | FOR_VALUES


def test_errors_are_those_of_the_server(prometheus: LivePrometheus, clean_server: LiveServer) -> None:
    """But for the labels since the last scrape. All labels came within ten minutes, and within the day of the rules."""
    for rule, metric in (
        ("absolute_error{}:mean", "veleta_mean_absolute_error{}"),
        ("squared_error{}:root_mean", "veleta_root_mean_squared_error{}"),
        ("interval_coverage{}:ratio", "veleta_interval_coverage{}_ratio"),
    ):
        for end in ("", "_lower", "_upper"):
            (recorded,) = prometheus.query(f'variant:veleta_{rule.format(end)}{{model="diabetes", window="24h"}}')
            assert float(recorded["value"][1]) == pytest.approx(clean_server.metrics()[key(metric.format(end), "10m")], rel=0.1)
    (growth,) = prometheus.query('variant:veleta_absolute_error_growth:ratio{model="diabetes", window="24h"}')
    assert -0.5 < float(growth["value"][1]) < 0


def key(metric: str, window: str) -> str:
    return f'{metric}{{model="diabetes",variant="int8",version="1",window="{window}"}}'


def test_what_variables_are_chosen_from_is_there(prometheus: LivePrometheus) -> None:
    for path in DASHBOARDS:
        for variable in json.loads(path.read_text(encoding="utf-8"))["templating"]["list"]:
            if variable["type"] == "query":
                match = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
                assert match, variable
                selector = re.sub(r"\$(\w+)", lambda name: CHOSEN[name[1]], match[1])
                values = {series["metric"][match[2]] for series in prometheus.query(selector)}
                assert CHOSEN[variable["name"]] in values


def test_a_scrape_passes_promtool_and_its_size_does_not_grow(prometheus: LivePrometheus, clean_server: LiveServer) -> None:
    answer = clean_server.get("/metrics")
    before = answer.content.count(b"\n")
    checked = subprocess.run(["promtool", "check", "metrics"], input=answer.content, capture_output=True, check=False)
    scraped = prometheus.query('max_over_time(scrape_samples_scraped{job="veleta"}[10s])')[0]["value"][1]

    assert (checked.returncode, checked.stdout + checked.stderr) == (0, b""), answer.text[:200]
    assert before < 2000
    assert abs(clean_server.get("/metrics").content.count(b"\n") - before) < 100
    assert float(scraped) < 2000


def test_a_shift_is_found_firing_by_its_alerts(prometheus: LivePrometheus, traffic: Traffic) -> None:
    traffic.change = lambda images: 255 - images
    traffic.more = 300.0
    expected = {
        ("VeletaDrift", "digits8"), ("VeletaDriftAlarm", "digits8"), ("VeletaAccuracyCollapsed", "digits8"),
        ("VeletaErrorGrown", "diabetes"), ("VeletaErrorSoared", "diabetes"),
    }  # fmt: skip
    wait_for(lambda: expected <= {(alert["alertname"], alert.get("model")) for alert in prometheus.firing()}, 90, prometheus.log)
    told = lambda: {(alert["labels"]["alertname"], alert["labels"].get("model")) for alert in prometheus.notified()}  # noqa: E731
    wait_for(lambda: expected <= told(), 30, prometheus.log)

    wait_for(lambda: {"mean", "ink"} <= {alert.get("signal") for alert in prometheus.firing()}, 30, prometheus.log)
    paged = {"VeletaAccuracyCollapsed", "VeletaErrorSoared"}
    pages = [alert for alert in prometheus.notified() if alert["labels"]["alertname"] in paged]
    assert {receiver["name"] for alert in pages for receiver in alert["receivers"]} == {"pages"}
    assert prometheus.query('veleta_drift_alarm_timestamp_seconds{model="digits8"}')
