"""One training from the recipe to the exported files, kept in the cache so that a benchmark that was cut off goes on where it was."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.data.parts import DataSet
from training.recipe import Recipe

CACHE = Path(__file__).parents[1] / ".cache" / "size"
#: To be raised when an outcome means something else than before.
FORMAT = 1


@dataclass(frozen=True)
class Outcome:
    """What came of a training.

    `accuracy` of the float32 and `int8_accuracy` of the int8 file on the test part, which was looked at once, at the end, and
    `validation` at the weights that were kept. `parameters` are all numbers in the network as served, those of the normalization
    included; `multiplications` are those of one image. `seconds` of building and fitting went by on the clock; `processor_seconds` is
    the time that all cores together spent on it; `load` is the load average of the machine at its beginning and its end.
    """

    seed: int
    accuracy: float
    int8_accuracy: float
    validation: float
    epochs: int
    test_rows: int
    parameters: int
    multiplications: int
    kibibytes: float
    int8_kibibytes: float
    seconds: float
    processor_seconds: float
    cores: int
    load: tuple[float, float]

    @property
    def minutes_alone(self) -> float:
        """What it takes where nothing else runs and the cores are always busy: the least that the clock can show."""
        return self.processor_seconds / self.cores / 60


def kept(recipe: Recipe, dataset: DataSet) -> Outcome | None:
    """What came of it before, if it was trained on this machine."""
    file = _file(recipe, dataset)
    if not file.exists():
        return None
    found = json.loads(file.read_text(encoding="utf-8"))
    return Outcome(**found["outcome"] | {"load": tuple(found["outcome"]["load"])})


def outcome(recipe: Recipe, dataset: DataSet) -> Outcome:
    """Of the recipe, trained at most once on a machine."""
    if before := kept(recipe, dataset):
        return before
    made, file = run(recipe, dataset), _file(recipe, dataset)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps({"recipe": recipe.to_dict(), "outcome": dataclasses.asdict(made)}, indent=1), encoding="utf-8")
    part.rename(file)
    return made


def run(recipe: Recipe, dataset: DataSet) -> Outcome:
    """Train as `veleta train` does, export, quantize, and only then look at the test part."""
    import keras

    from training.compression.bits import pack
    from training.compression.quantize import quantize
    from training.fitting.attempt import attempt
    from training.fitting.progress import Progress
    from training.onnx.export import export
    from training.publishing.evaluate import evaluate

    keras.backend.clear_session()
    split = dataset.split(recipe.seed, recipe.max_rows)
    load, started, busy = os.getloadavg()[0], time.monotonic(), _processor_seconds()
    attempted = attempt(recipe, split.problem, split, Progress())
    seconds, busy = time.monotonic() - started, _processor_seconds() - busy
    network, history = attempted.network, attempted.history
    with tempfile.TemporaryDirectory(prefix="veleta-size-") as folder:
        whole, small = Path(folder, "model.onnx"), Path(folder, "model.int8.onnx")
        export(network, whole, split.validation.x, recipe.seed)
        quantize(whole, small, split.train.draw(recipe.calibration_rows, recipe.seed), split.validation)
        for path in (whole, small):
            pack(path)
        accuracy, int8_accuracy = (evaluate(path, split.test, len(dataset.classes)).metrics["accuracy"].value for path in (whole, small))
        kibibytes, int8_kibibytes = (path.stat().st_size / 1024 for path in (whole, small))
    return Outcome(
        seed=recipe.seed,
        accuracy=accuracy,
        int8_accuracy=int8_accuracy,
        validation=history.validation_metric[history.best],
        epochs=len(history.loss),
        test_rows=len(split.test),
        parameters=network.count_params(),
        multiplications=multiplications(network),
        kibibytes=kibibytes,
        int8_kibibytes=int8_kibibytes,
        seconds=seconds,
        processor_seconds=busy,
        cores=len(os.sched_getaffinity(0)),
        load=(load, os.getloadavg()[0]),
    )


def multiplications(network: Any) -> int:
    """Of the weights with what comes in, for one row: each kernel is used once at every place of its layer's output."""
    layers = [layer for layer in network.layers if hasattr(layer, "kernel")]
    return sum(math.prod(layer.kernel.shape) * math.prod(layer.output.shape[1:-1]) for layer in layers)


def _processor_seconds() -> float:
    """Of all threads of this process, as user and as system."""
    times = os.times()
    return times.user + times.system


def _file(recipe: Recipe, dataset: DataSet) -> Path:
    """By everything that a training depends on."""
    whole = json.dumps([FORMAT, recipe.to_dict(), dataset.sha256], sort_keys=True)
    return CACHE / f"{hashlib.sha256(whole.encode()).hexdigest()[:16]}-{recipe.seed}.json"
