"""The shipped rules and dashboards with a real Prometheus that scrapes a real server under traffic: clean first, then shifted.

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
#: What Grafana puts in for variables.
CHOSEN = {
    "job": "veleta", "model": "digits8", "version": "1", "variant": "int8", "window": "10m", "signal": "ink",
    "__rate_interval": "5s", "__range": "1m",
}  # fmt: skip


class Traffic:
    """Held-back images, drawn again with a seed, predicted and labelled some hundred a second, changed by what `change` says.

    And now and then somebody asks for a page that is not there.
    """

    def __init__(self, url: str, data: Data) -> None:
        self.change: Callable[[NDArray[Any]], NDArray[Any]] = lambda images: images
        self._url, self._data, self._rng = url, data, np.random.default_rng(0)
        self._session, self._stop = requests.Session(), threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(timeout=30)

    def _run(self) -> None:
        while not self._stop.wait(0.1):
            drawn = self._rng.integers(len(self._data.test_x), size=40)
            instances = self.change(self._data.test_x[drawn]).tolist()
            answers = self._session.post(f"{self._url}/predict", json={"instances": instances}, timeout=30).json()["predictions"]
            truth = [self._data.classes[number] for number in self._data.test_y[drawn]]
            labels = [{"id": answer["id"], "label": label} for answer, label in zip(answers, truth, strict=True)]
            self._session.post(f"{self._url}/feedback", json={"feedback": labels}, timeout=30)
            self._session.get(f"{self._url}/no-such-page", timeout=30)


@pytest.fixture(scope="module")
def clean_server(shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    root = tmp_path_factory.mktemp("watched") / "store"
    shutil.copytree(shelf, root)
    with running(root, "--workers", "2", "--tick-seconds", "0.5") as found:
        yield found


@pytest.fixture(scope="module")
def traffic(clean_server: LiveServer, digits8: Data) -> Iterator[Traffic]:
    found = Traffic(clean_server.url, digits8)
    yield found
    found.stop()


@pytest.fixture(scope="module")
def prometheus(clean_server: LiveServer, traffic: Traffic, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LivePrometheus]:
    """Has watched clean traffic for long enough to judge it."""
    with watching(tmp_path_factory.mktemp("prometheus"), f"127.0.0.1:{clean_server.port}") as found:
        wait_for(lambda: found.query(f'count_over_time(up{{job="veleta"}}[1h]) >= {CLEAN_SECONDS}'), 120, found.log)
        yield found


def queries(path: Path) -> list[tuple[str, str]]:
    """Title and query of every target of every panel, with the variables put in."""
    found = []
    for panel in json.loads(path.read_text(encoding="utf-8"))["panels"]:
        for target in panel.get("targets", []):
            found.append((panel["title"], re.sub(r"\$(\w+)", lambda name: CHOSEN[name[1]], target["expr"])))
    return found


def test_nothing_fires_on_clean_traffic_and_every_rule_can_be_evaluated(prometheus: LivePrometheus) -> None:
    fired = prometheus.query('count by (alertname) (count_over_time(ALERTS{alertstate="firing"}[1h]))')

    assert {series["metric"]["alertname"] for series in fired} <= ABOUT_THE_MACHINE, fired
    assert prometheus.rule_errors() == []
    assert len(prometheus.query('signal:veleta_signal_bin:psi{window="10m"}')) >= 10


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_shows_something(prometheus: LivePrometheus, path: Path) -> None:
    asked = list(queries(path))
    assert len(asked) >= 10
    for title, query in asked:
        found = prometheus.query(query)
        if not found and title not in EMPTY_WHEN_WELL:  # a scrape was missed: the next one has it
            wait_for(lambda query=query: prometheus.query(query), 30, lambda title=title, query=query: f"{title}: {query}")


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
    expected = {"VeletaDrift", "VeletaDriftAlarm", "VeletaAccuracyCollapsed"}
    wait_for(lambda: expected <= {alert["alertname"] for alert in prometheus.firing()}, 90, prometheus.log)
    wait_for(lambda: expected <= {alert["labels"]["alertname"] for alert in prometheus.notified()}, 30, prometheus.log)

    wait_for(lambda: {"mean", "ink"} <= {alert.get("signal") for alert in prometheus.firing()}, 30, prometheus.log)
    pages = [alert for alert in prometheus.notified() if alert["labels"]["alertname"] == "VeletaAccuracyCollapsed"]
    assert {receiver["name"] for alert in pages for receiver in alert["receivers"]} == {"pages"}
    assert prometheus.query('veleta_drift_alarm_timestamp_seconds{model="digits8"}')
