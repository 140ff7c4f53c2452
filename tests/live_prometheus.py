"""A real Prometheus and a real Alertmanager of Debian beside a server under test, with the shipped configuration and rules."""

from __future__ import annotations

import contextlib
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.live_server import ROOT, free_port, wait_for

SHIPPED = ROOT / "monitoring" / "prometheus"
#: How much faster time passes in the rules under test: an hour in a minute.
FASTER = 60
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def compressed(text: str) -> str:
    """The same rules or routes in a world where an hour lasts a minute: every window and every wait divided by 60.

    Values of labels, such as `window: 10m`, are names and stay as they are.

    >>> compressed('{labels: {window: 10m}, expr: "sum(increase(x[10m] offset 1d))", for: 5m}')
    '{labels: {window: 10m}, expr: "sum(increase(x[10000ms] offset 1440000ms))", for: 5000ms}'
    """
    duration = r"((?:\[|for: |interval: |offset |group_wait: |group_interval: |repeat_interval: ))(\d+)([smhd])\b"
    return re.sub(duration, lambda found: f"{found[1]}{int(found[2]) * _SECONDS[found[3]] * 1000 // FASTER}ms", text)


class LivePrometheus:
    """Scrapes a server every second, evaluates the compressed rules twice a second, and tells an Alertmanager."""

    def __init__(self, folder: Path, target: str) -> None:
        self.port, self.alertmanager_port = free_port(), free_port()
        self._folder = folder
        self._write_configuration(target)
        self._processes = [self._start_alertmanager(), self._start_prometheus()]
        for port in (self.port, self.alertmanager_port):
            wait_for(lambda port=port: self._ready(port), 30, self.log)

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series of an expression now. An error of Prometheus fails the test with its words."""
        found = requests.get(f"http://127.0.0.1:{self.port}/api/v1/query", params={"query": expression}, timeout=30).json()
        assert found["status"] == "success", (expression, found)
        result: list[dict[str, Any]] = found["data"]["result"]
        return result

    def firing(self) -> list[dict[str, str]]:
        """The labels of the alerts that fire now."""
        found = requests.get(f"http://127.0.0.1:{self.port}/api/v1/alerts", timeout=30).json()
        return [alert["labels"] for alert in found["data"]["alerts"] if alert["state"] == "firing"]

    def notified(self) -> list[dict[str, Any]]:
        """The alerts that have reached the Alertmanager."""
        found: list[dict[str, Any]] = requests.get(f"http://127.0.0.1:{self.alertmanager_port}/api/v2/alerts", timeout=30).json()
        return found

    def rule_errors(self) -> list[str]:
        """What Prometheus says of rules that could not be evaluated."""
        found = requests.get(f"http://127.0.0.1:{self.port}/api/v1/rules", timeout=30).json()
        return [rule["lastError"] for group in found["data"]["groups"] for rule in group["rules"] if rule.get("lastError")]

    def log(self) -> str:
        return (self._folder / "prometheus.log").read_text()

    def stop(self) -> None:
        for process in self._processes:
            process.terminate()
            process.wait(timeout=30)

    def _write_configuration(self, target: str) -> None:
        (self._folder / "rules").mkdir(parents=True)
        for path in SHIPPED.glob("rules/*.yml"):
            (self._folder / "rules" / path.name).write_text(compressed(path.read_text(encoding="utf-8")), encoding="utf-8")
        text = (SHIPPED / "prometheus.yml").read_text(encoding="utf-8")
        for shipped, here in {
            "scrape_interval: 15s": "scrape_interval: 1s",
            "evaluation_interval: 15s": "evaluation_interval: 500ms",
            "scrape_timeout: 5s": "scrape_timeout: 1s",
            "alertmanager:9093": f"127.0.0.1:{self.alertmanager_port}",
            "veleta:8000": target,
            "localhost:9090": f"127.0.0.1:{self.port}",
        }.items():
            assert shipped in text, shipped
            text = text.replace(shipped, here)
        (self._folder / "prometheus.yml").write_text(text, encoding="utf-8")
        routes = compressed((SHIPPED / "alertmanager.yml").read_text(encoding="utf-8"))
        (self._folder / "alertmanager.yml").write_text(routes, encoding="utf-8")

    def _start_prometheus(self) -> subprocess.Popen[bytes]:
        words = ["--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{self.port}", "--storage.tsdb.path=data"]
        return self._start("prometheus", *words)

    def _start_alertmanager(self) -> subprocess.Popen[bytes]:
        address = f"--web.listen-address=127.0.0.1:{self.alertmanager_port}"
        return self._start("prometheus-alertmanager", "--config.file=alertmanager.yml", address, "--cluster.listen-address=")

    def _start(self, *words: str) -> subprocess.Popen[bytes]:
        with (self._folder / "prometheus.log").open("ab") as log:
            return subprocess.Popen(words, cwd=self._folder, stdout=log, stderr=log)

    def _ready(self, port: int) -> bool:
        ended = [process.args for process in self._processes if process.poll() is not None]
        assert not ended, f"{ended}: {self.log()}"
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=5).ok
        return False


@contextlib.contextmanager
def watching(folder: Path, target: str) -> Iterator[LivePrometheus]:
    found = LivePrometheus(folder, target)
    try:
        yield found
    finally:
        found.stop()
