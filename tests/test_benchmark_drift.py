"""The short form of the drift benchmark runs through; its parts are right where that can be told without many runs."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from scipy.spatial.distance import cdist

from benchmarks.drift import false_alarms
from benchmarks.drift.__main__ import main
from benchmarks.drift.cases import CASES, Case
from benchmarks.drift.detectors import SETTLING, KolmogorovSmirnov, MeanDiscrepancy, PopulationStability
from benchmarks.drift.limits import Limit
from benchmarks.drift.world import Deployment, World
from models.store import Store
from monitoring.drift.psi import psi

TICKS, EACH = SETTLING + 20, 50


@pytest.fixture(scope="module")
def deployment(shelf: Path) -> Deployment:
    rng = np.random.default_rng(0)
    return World.of(Store(shelf).open("digits8"), "int8", 300, rng).deploy(rng)


@pytest.fixture(scope="module")
def drawn(deployment: Deployment) -> np.ndarray:
    return np.random.default_rng(1).integers(0, len(deployment.world.labels), (1, TICKS, EACH))


def test_the_short_form_prints_a_table_and_writes_the_figures(shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "figures.json"
    assert main(["--short", "--store", str(shelf), "--models", "digits8", "--json", str(file)]) == 0
    text, figures = capsys.readouterr().out, json.loads(file.read_text(encoding="utf-8"))
    assert [line["world"] for line in figures["quiet"]] == ["digits8 fp32", "digits8 int8"]
    assert [row["case"] for row in figures["delays"]] == ["none", "noise 100, 100 %", "knock-out of class 0, 100 %"]
    for row in figures["delays"]:
        assert set(row["medians"]) == {"Veleta", "PSI", "KS on softmax", "MMD on embeddings"}
        assert row["case"] in text
    assert figures["delays"][1]["missed"]["Veleta"] == 0
    assert "Veleta sooner, as soon, later" in text
    assert "PSI over 0.1 in windows of 200: without drift an alarm every" in text


def test_an_unknown_model_is_one_sentence(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--short", "--store", str(shelf), "--models", "nothing"]) == 1
    assert "benchmarks.drift: there is no model 'nothing'" in capsys.readouterr().err


def test_kolmogorov_smirnov_is_that_of_scipy(deployment: Deployment, drawn: np.ndarray) -> None:
    clean = deployment.world.clean
    found = KolmogorovSmirnov().paths(deployment, clean, drawn)[1, 0, -1]
    live, reference = (clean.batch.outputs[rows] for rows in (drawn[0, -20:].ravel(), deployment.drawn))
    expected = [stats.ks_2samp(live[:, column], reference[:, column]).statistic for column in range(10)]
    assert found == pytest.approx(max(expected), abs=1e-5)


def test_mmd_is_that_of_the_kernel_written_out(deployment: Deployment, drawn: np.ndarray) -> None:
    clean = deployment.world.clean
    found = MeanDiscrepancy().paths(deployment, clean, drawn)[0, 0, -1]
    embeddings = clean.batch.embeddings
    live, reference = embeddings[drawn[0, -4:].ravel()], embeddings[deployment.drawn]
    squares = cdist(embeddings, embeddings, "sqeuclidean")
    width = np.median(squares[np.triu_indices(len(squares), 1)])

    def mean(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.exp(-cdist(one, other, "sqeuclidean") / width).mean())

    assert found == pytest.approx(mean(live, live) - 2 * mean(live, reference) + mean(reference, reference), abs=1e-5)


def test_psi_is_the_largest_of_all_signals(deployment: Deployment, drawn: np.ndarray) -> None:
    found = PopulationStability().paths(deployment, deployment.world.clean, drawn)[1, 0, -1]
    counts = deployment.clean[drawn[0, -20:].ravel()].sum(axis=0)
    live = deployment.reference.split(counts[: sum(len(profile.counts) for profile in deployment.reference.profiles.values())])
    expected = [psi(profile.counts, live[name]) for name, profile in deployment.reference.profiles.items()]
    assert found == pytest.approx(max(expected), rel=1e-6)


def test_a_limit_gives_the_share_of_false_alarms_that_was_asked_for() -> None:
    drawn, fresh = np.random.default_rng(0).normal(size=(2, 2, 4000, 50)) * [[[1.0]], [[5.0]]]
    assert Limit.of(drawn, 0.1).exceeded(fresh).any(axis=1).mean() == pytest.approx(0.1, abs=0.015)


def test_cases_draw_what_they_say(deployment: Deployment) -> None:
    world, rng = deployment.world, np.random.default_rng(0)
    n = len(world.labels)
    assert (Case("noise", 10, 0.1).draw(world, (20_000,), rng) >= n).mean() == pytest.approx(0.1, abs=0.01)
    before = (world.labels == 0).mean()
    halved = (world.labels[Case("class_gone", 0, 0.5).draw(world, (20_000,), rng)] == 0).mean()
    assert halved == pytest.approx(before / 2 / (1 - before / 2), abs=0.01)
    assert len({case.title for case in CASES}) == len(CASES)


def test_the_mean_time_between_alarms_counts_what_was_cut() -> None:
    first = np.array([[10.0, math.inf], [30.0, math.inf]])
    assert false_alarms._mean(first, 100) == (10 + 100 + 30 + 100) / 2
    assert false_alarms._interval(np.full((2, 2), math.inf), 100, np.random.default_rng(0)) == (400 / 3, math.inf)
