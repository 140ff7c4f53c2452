"""`veleta drill`: what it says of a change on the small shelf, at given traffic and at that of a server; its errors are one sentence."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from models.store import Store
from tests.live_server import ROOT, clean_environment, running


def drill(store: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "veleta", "drill", *words, "--store", str(store)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=clean_environment(), timeout=100)


def test_it_says_when_a_shift_would_be_noticed_by_what_and_what_it_costs(store: Store) -> None:
    done = drill(store.root, "digits8", "--shift", "inversion", "--rate", "50", "--runs", "10")
    assert done.returncode == 0, done.stderr
    first, second, third, fourth = done.stdout.splitlines()
    assert first == "digits8/1/int8 at 50 predictions per second (as given), 10 runs, at most one false alarm in 30 days"
    assert second.startswith("inversion:100 (percent of the way) on 100 % of the inputs would be noticed in ")
    assert "with 95 % of runs under" in second
    assert "first by" in second
    assert third == "missed within a day in 0 % of the runs"
    assert fourth.startswith("accuracy 9")


def test_the_same_as_one_json_object(store: Store) -> None:
    done = drill(store.root, "iris", "--shift", "class_gone:setosa", "--rate", "20", "--runs", "5", "--share", "0.5", "--json")
    report = json.loads(done.stdout)
    assert (report["model"], report["version"], report["variant"]) == ("iris", "1", "int8")
    assert (report["shift"], report["strength"], report["share"], report["runs"]) == ("class_gone", 0, 0.5, 5)
    assert 0 < report["median_seconds"] <= report["p95_seconds"] <= 86400
    assert report["missed_in_a_day_ratio"] == 0
    assert report["predictions_per_second"] == 20
    assert set(report["accuracy"]) == {"before", "after", "rows"}


def test_a_class_is_called_by_its_label(store: Store) -> None:
    done = drill(store.root, "iris", "--shift", "class_gone:virginica", "--rate", "20", "--runs", "2")
    assert "class_gone:virginica (the class) on 100 % of the inputs would be noticed in" in done.stdout


def test_what_no_signal_shows_is_missed_and_said_so(store: Store) -> None:
    done = drill(store.root, "digits8", "--shift", "brightness:0", "--rate", "0.001", "--runs", "2")
    assert "would not be noticed within a day in most runs" in done.stdout
    assert "missed within a day in 100 % of the runs" in done.stdout


def test_the_traffic_is_what_the_server_has_seen(store: Store) -> None:
    rows = [[5.1, 3.5, 1.4, 0.2 + place / 100] for place in range(100)]
    with running(store.root, "--workers", "1", "--tick-seconds", "0.2") as server:
        assert server.post("/predict/iris", json={"instances": rows}).status_code == 200
    done = drill(store.root, "iris", "--shift", "offset", "--runs", "2", "--json")  # the server's last tick was at its end
    report = json.loads(done.stdout)
    assert report["predictions_seen"] == "seen in the last hour"
    assert 0 < report["predictions_per_second"] <= 100
    assert report["overdispersion"] >= 1


def test_the_shifts_are_listed() -> None:
    done = subprocess.run([sys.executable, "-m", "veleta", "drill", "--list"], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0
    for name in ("brightness:60", "noise:1 ", "class_gone:0", "label_shift:5"):
        assert name in done.stdout


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (
            ["digits8", "--shift", "fog", "--rate", "1"],
            1,
            "there is no shift 'fog' of inputs of the kind image; there is brightness, contrast",
        ),
        (["iris", "--shift", "blur", "--rate", "1"], 1, "there is no shift 'blur' of inputs of the kind tabular; there is noise, offset"),
        (["nothing", "--shift", "blur", "--rate", "1"], 1, "there is no model 'nothing' in"),
        (["digits8", "--shift", "blur"], 1, "answered nothing in the last hour or the last 24 hours by what"),
        (["digits8", "--shift", "blur:much", "--rate", "1"], 1, "'much' is no strength of blur; give a number (pixels, the kernel's"),
        (["digits8", "--shift", "blur:nan", "--rate", "1"], 1, "'nan' is no strength of blur"),
        (["digits8", "--shift", "class_gone:11", "--rate", "1"], 1, "'11' is no class of the model; give one of 0, 1, 2"),
        (["digits8", "--shift", "blur", "--rate", "1", "--variant", "pruned"], 1, "has no variant 'pruned'"),
        (["digits8", "--shift", "blur", "--rate", "0"], 2, "0 is not more than 0"),
        (["digits8", "--shift", "blur", "--share", "2"], 2, "2 is not more than 0 and at most 1"),
        (["digits8", "--shift", "blur", "--runs", "many"], 2, "invalid number value: 'many'"),
        (["digits8"], 2, "the following arguments are required: --shift"),
    ],
)
def test_errors_are_one_sentence(store: Store, words: list[str], code: int, sentence: str) -> None:
    done = drill(store.root, *words)
    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_damaged_memory_is_one_sentence(store: Store) -> None:
    (store.root / ".veleta").mkdir()
    (store.root / ".veleta" / "watch.safetensors").write_bytes(b"nothing of the kind")
    done = drill(store.root, "digits8", "--shift", "blur")
    assert done.returncode == 1
    assert "watch.safetensors cannot be read; give the traffic with --rate" in done.stderr
