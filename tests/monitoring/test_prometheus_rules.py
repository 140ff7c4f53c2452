"""The rules for Prometheus: what promtool says of them, and an hour of traffic replayed through Prometheus' own engine."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from monitoring.drift.psi import psi, psi_limit
from tests.live_server import ROOT
from tests.monitoring.replay import STEP_SECONDS, Replay, replay
from tests.small_models import Data

FOLDER = ROOT / "monitoring" / "prometheus"
RULES = sorted(FOLDER.glob("rules/*.yml"))
PARSED = {path.name: yaml.safe_load(path.read_text(encoding="utf-8")) for path in RULES}
ALL = [rule for file in PARSED.values() for group in file["groups"] for rule in group["rules"]]
ALERTS = [rule for rule in ALL if "alert" in rule]

needs_promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="needs Debian's package prometheus: tests/system_packages")
needs_amtool = pytest.mark.skipif(
    not shutil.which("amtool"), reason="needs Debian's package prometheus-alertmanager: tests/system_packages"
)


def run(*words: str | Path, folder: Path = FOLDER) -> str:
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@needs_promtool
def test_the_configuration_and_the_rules_are_valid() -> None:
    assert f"{len(RULES)} rule files found" in run("promtool", "check", "config", "--lint=all", "--lint-fatal", "prometheus.yml")


@needs_amtool
def test_the_configuration_of_the_alertmanager_is_valid_and_tells_pages_from_tickets() -> None:
    run("amtool", "check-config", "alertmanager.yml")
    for severity in ("page", "ticket"):
        found = run("amtool", "config", "routes", "test", "--config.file=alertmanager.yml", f"severity={severity}")
        assert found.strip() == f"{severity}s"


@needs_promtool
@pytest.mark.parametrize("path", sorted(FOLDER.glob("tests/*.yml")), ids=lambda path: path.stem)
def test_the_rules_do_what_their_tests_say(path: Path) -> None:
    assert "SUCCESS" in run("promtool", "test", "rules", path.name, folder=path.parent)


def test_every_file_of_rules_is_tested_and_every_alert_fires_in_a_test() -> None:
    tested: dict[str, list[bool]] = {}
    for path in FOLDER.glob("tests/*.yml"):
        for case in yaml.safe_load(path.read_text(encoding="utf-8"))["tests"]:
            for check in case["alert_rule_test"]:
                tested.setdefault(check["alertname"], []).append(bool(check["exp_alerts"]))

    assert {path.name for path in FOLDER.glob("tests/*.yml")} == set(PARSED)
    for name in {rule["alert"] for rule in ALERTS} - {"VeletaSlowDrift"}:  # the same expression as VeletaDrift on a longer window
        assert any(tested.get(name, [])), f"{name} fires in no test"


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_an_alert_says_how_bad_what_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert set(rule["annotations"]) == {"summary", "description", "remedy"}
    assert all(len(text) > 20 for text in rule["annotations"].values())


def test_recorded_series_are_named_level_metric_operation() -> None:
    for rule in ALL:
        if "record" in rule:
            assert re.fullmatch(r"[a-z_]+:(veleta_)?[a-z_]+:[a-z0-9_]+", rule["record"]), rule["record"]


CHANGES = {
    "brightened": lambda x: np.clip(x.astype(int) + 60, 0, 255).astype(np.uint8),
    "moved by a pixel": lambda x: np.roll(x, 1, axis=2),
}


def verdict(found: Replay, folder: Path, checks: list[dict[str, Any]]) -> str:
    """What promtool says of `checks` over the replayed hour, with all rules."""
    test = {
        "rule_files": [str(path) for path in RULES],
        "evaluation_interval": f"{STEP_SECONDS}s",
        "group_eval_order": [group["name"] for file in PARSED.values() for group in file["groups"]],
        "tests": [{"interval": f"{STEP_SECONDS}s", "input_series": found.series(), "promql_expr_test": checks}],
    }
    (folder / "hour.yml").write_text(yaml.safe_dump(test), encoding="utf-8")
    return run("promtool", "test", "rules", "hour.yml", folder=folder)


def holds(expression: str, minute: int) -> dict[str, Any]:
    """A check that the comparison is true then."""
    return {"expr": expression, "eval_time": f"{minute}m", "exp_samples": [{"labels": "{}", "value": 1}]}


def never_fired(minute: int) -> dict[str, Any]:
    fired = f'count by (alertname, signal) (count_over_time(ALERTS{{alertstate="firing"}}[{minute}m]))'
    return {"expr": fired, "eval_time": f"{minute}m", "exp_samples": []}


def as_psi_py_says(found: Replay, minute: int) -> list[dict[str, Any]]:
    """Checks that the rules compute of the last ten minutes what monitoring/drift/psi.py computes, for each signal."""
    reference, checks = found.subject.reference, []
    for signal, live in found.added(minute * 60, 600).items():
        counts = reference.profiles[signal].counts
        limit = psi_limit(len(counts), reference.rows, float(live.sum()))
        for rule, value in (("psi", psi(counts, live)), ("psi_limit", limit)):
            recorded = f'sum(signal:veleta_signal_bin:{rule}{{signal="{signal}", window="10m"}})'
            checks.append(holds(f"abs({recorded} - {value!r}) < bool 1e-9", minute))
    return checks


@needs_promtool
def test_nothing_fires_in_an_hour_of_clean_traffic(shelf: Path, digits8: Data, tmp_path: Path) -> None:
    found = replay(shelf, digits8.test_x, digits8.test_x, seed=0)

    assert "SUCCESS" in verdict(found, tmp_path, [never_fired(60), *as_psi_py_says(found, 60)])


@needs_promtool
@pytest.mark.parametrize("change", CHANGES)
def test_a_shift_in_the_second_half_fires_within_twelve_minutes(shelf: Path, digits8: Data, tmp_path: Path, change: str) -> None:
    found = replay(shelf, digits8.test_x, CHANGES[change](digits8.test_x), seed=0)
    fires = holds('count(ALERTS{alertname="VeletaDrift", alertstate="firing"}) > bool 0', 42)

    assert "SUCCESS" in verdict(found, tmp_path, [never_fired(30), fires, *as_psi_py_says(found, 37)])
