"""A regression of a table, published as `veleta train` does: scores, interval, reference and card, of a small network on real data."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_diabetes
from sklearn.metrics import mean_absolute_error, root_mean_squared_error

from models.store import Published, Store
from monitoring.reference import read_samples
from monitoring.signals.measure import Batch
from monitoring.subject import Subject
from training.data.parts import Divided
from training.data.sources import load
from training.data.wanted import Wanted
from training.fitting.progress import Progress
from training.onnx.answers import answer
from training.recipe import read_recipe
from training.train import train

pytestmark = pytest.mark.training

RECIPE = Path(__file__).parents[2] / "training/recipes/regression.toml"
#: Whole batches of the calibration, and hardly any fitting: what is published is looked at, not how good it is.
SMALL = ("epochs=3", "prune_epochs=1", "calibration_rows=128")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Published, Divided]:
    folder = tmp_path_factory.mktemp("values")
    found = load_diabetes(scaled=False)
    with (folder / "diabetes.csv").open("w", newline="") as file:
        write = csv.writer(file)
        write.writerow([*found.feature_names, "number", "progression"])
        for number, (row, value) in enumerate(zip(found.data.tolist(), found.target.tolist(), strict=True)):
            row[1], row[2] = "female" if row[1] == 1 else "male", "" if number % 20 == 0 else row[2]
            write.writerow([*row, number, value])
    dataset = load(str(folder / "diabetes.csv"), Wanted(target="progression"))
    source = read_recipe(RECIPE, SMALL)
    said = io.StringIO()
    published = train(source, dataset, "diabetes", Store(folder / "store"), Progress(said)).published
    (folder / "said.txt").write_text(said.getvalue())
    return published, dataset.split(source.recipe.seed)


def test_what_is_to_be_known_of_the_data_is_said(made: tuple[Published, Divided]) -> None:
    said = (made[0].folder.parents[2] / "said.txt").read_text().splitlines()
    assert said[0].endswith("diabetes: 283 train, 71 validation, 88 test rows")
    assert any(line.endswith("columns left out: 'number' numbers the rows") for line in said)


def test_metrics_are_scikit_learns_and_the_gate_is_held(made: tuple[Published, Divided]) -> None:
    published, split = made
    published.verify()
    assert (published.manifest.task, published.manifest.classes, published.manifest.input.kind) == ("regression", (), "tabular")
    fp32 = published.manifest.variant("fp32")
    for variant in published.manifest.variants:
        values = answer(published.path(variant.name), split.test.x)[0][:, 0]
        found = {name: metric.value for name, metric in variant.metrics.items()}
        oracle = {"mae": mean_absolute_error(split.test.y, values), "rmse": root_mean_squared_error(split.test.y, values)}
        assert found == pytest.approx(oracle, rel=1e-5)
        assert all(metric.lower < metric.value < metric.upper and metric.rows == len(split.test) for metric in variant.metrics.values())
        if variant.metrics["rmse"].value > 1.02 * fp32.metrics["rmse"].value:
            assert "root mean squared test error grows" in (variant.reason or "")


@pytest.mark.parametrize("variant", ["fp32", "pruned-int8"])
def test_the_reference_holds_the_interval_the_columns_and_the_rows(made: tuple[Published, Divided], variant: str) -> None:
    published, split = made
    subject = Subject.load(published, variant)
    reference = subject.reference
    errors = {
        name: np.abs(answer(published.path(variant), part.x)[0][:, 0] - part.y)
        for name, part in (("validation", split.validation), ("test", split.test))
    }

    assert reference.residuals is not None
    assert reference.residuals.half_width == pytest.approx(
        np.quantile(np.append(errors["validation"], np.inf), 0.95, method="inverted_cdf"), rel=1e-6
    )
    assert reference.residuals.counts.sum() == len(split.test)
    assert np.mean(errors["validation"] <= reference.residuals.half_width) >= 0.95
    assert (reference.calibration, reference.fitted.head, subject.task.measure) == (None, None, "mae")
    assert reference.fitted.columns is not None
    assert reference.fitted.columns.names == split.columns.names if split.columns else False
    assert next(iter(reference.profiles)) == "value"
    counted = reference.count(Batch(split.test.x, *answer(published.path(variant), split.test.x)), published.manifest.input)
    assert counted["signals"].tolist() == np.concatenate([profile.counts for profile in reference.profiles.values()]).tolist()
    samples = read_samples(published.file("reference.npz"))
    assert sorted(samples.labels.tolist()) == sorted(split.test.y.tolist())


def test_the_card_tells_of_errors_and_of_no_classes(made: tuple[Published, Divided]) -> None:
    published, split = made
    page = published.file("card.html").read_text(encoding="utf-8")
    variant = published.manifest.variant()
    residuals = np.abs(answer(published.path(variant.name), split.test.x)[0][:, 0] - split.test.y)

    assert page.count('<circle class="point"') == len(split.test)
    assert f'<td>100 %</td><td class="number">{residuals.max():.4g}</td>' in page
    assert f"{variant.metrics['rmse'].value:.4g}" in page
    assert "Mean absolute error" in page
    assert not re.search(r"Precision|Recall|activation softmax|>Accuracy", page)
