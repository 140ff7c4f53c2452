"""The room's commands: `train` here, the others from the rooms that do their work."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.commands import add_store, open_store
from models.store import Published, Store, check_name
from training import interruption
from training.diagnose import configure_diagnose, diagnose
from training.errors import TrainingError
from training.runs.command import configure_runs, runs
from training.search.command import configure_search, search

if TYPE_CHECKING:  # it loads Keras
    from training.train import Trained

__all__ = ["configure_diagnose", "configure_runs", "configure_search", "configure_train", "diagnose", "runs", "search", "train"]
_NEEDED = ("keras", "tensorflow", "onnx", "h5py", "mlxtend", "tqdm", "pandas", "fastparquet", "scipy")


def configure_train(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "recipe", nargs="?", type=Path, metavar="RECIPE.toml", help="what to train (default: the founding network, as the data needs it)"
    )
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="key=value", help="change a value of the recipe, as in epochs=10"
    )
    parser.add_argument("--name", help="the model's name (default: that of the data set)")
    parser.add_argument(
        "--data",
        default="digits",
        metavar="NAME|DIR|FILE",
        help="digits, mnist, fashion-mnist, a folder of images by class or of idx files, or a .npz, .csv or .parquet file",
    )
    parser.add_argument("--target", metavar="COLUMN", help="the column of a table that is to be predicted (default: the last)")
    parser.add_argument("--task", choices=("classification", "regression"), help="what the target is (default: as it looks)")
    parser.add_argument("--kind", choices=("image", "tensor", "sequence"), help="what x of a .npz file is (default: as it looks)")
    parser.add_argument("--folds", type=int, metavar="K", help="cross-validate on K folds first, to know how much of a score is luck")
    parser.add_argument("--find-learning-rate", action="store_true", help="take the learning rate that a range test suggests")
    parser.add_argument("--find-batch-size", action="store_true", help="take the batch size from which on more brings no more speed")
    parser.add_argument("--devices", type=int, default=0, metavar="N", help="spread each batch over N devices (default: all GPUs)")
    parser.add_argument("--tensorboard", type=Path, metavar="DIR", help="also write event files for TensorBoard")
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def train(arguments: argparse.Namespace) -> None:
    """Train, publish, and say what came of it. Whatever can be known to fail is checked before Keras is even loaded."""
    from training.data.sources import load
    from training.data.wanted import Wanted
    from training.quiet import load_keras_quietly
    from training.recipe import default_recipe, read_recipe

    started = time.monotonic()
    source = read_recipe(arguments.recipe, arguments.set) if arguments.recipe else None
    if arguments.name is not None:
        check_name(arguments.name)
    store = open_store(arguments)
    store.check_writable()
    _need_the_extra()
    dataset = load(arguments.data, Wanted(arguments.target, arguments.task, arguments.kind))
    problem = dataset.problem
    source = source or read_recipe(default_recipe(arguments.data, problem.input.kind, problem.task), arguments.set)
    name = check_name(arguments.name or dataset.name)
    if arguments.folds is not None:
        dataset.folds(arguments.folds, source.recipe.seed, source.recipe.max_rows)  # raises if they cannot be made
    interruption.listen()

    load_keras_quietly(arguments.devices)
    from training.fitting.progress import Progress
    from training.train import train as run

    try:
        progress = _heard(Progress(), arguments.tensorboard)
        trained = run(source, dataset, name, store, progress, _to_find(arguments), arguments.folds or 0, arguments.devices)
    except OSError as error:
        raise TrainingError(f"training cannot use its work folder: {error}; set TMPDIR to one with room") from error
    result = _result(trained.published, store, time.monotonic() - started)
    if trained.folds:
        result["folds"] = dataclasses.asdict(trained.folds)
    print(json.dumps(result, ensure_ascii=False) if arguments.json else _summary(trained, result))


def _to_find(arguments: argparse.Namespace) -> list[str]:
    """The batch size first: the learning rate belongs to it."""
    wanted = {"batch_size": arguments.find_batch_size, "learning_rate": arguments.find_learning_rate}
    return [key for key, asked in wanted.items() if asked]


def _heard(progress: Any, folder: Path | None) -> Any:
    if folder is None:
        return progress
    from training.runs.event_files import EventFiles

    return progress.heard_by(EventFiles(folder))


def _need_the_extra() -> None:
    missing = [package for package in _NEEDED if importlib.util.find_spec(package) is None]
    if missing:
        raise TrainingError(f"{missing[0]} is not installed, which training needs; install the train extra: pip install 'veleta[train]'")


def _result(published: Published, store: Store, seconds: float) -> dict[str, Any]:
    manifest = published.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "live": store.live(manifest.name) == manifest.version,
        "folder": str(published.folder),
        "default_variant": manifest.default_variant,
        "seconds": round(seconds, 1),
        "variants": [
            {
                "name": variant.name,
                **{name: metric.value for name, metric in variant.metrics.items()},
                "bytes": variant.bytes,
                "latency_seconds": variant.latency_seconds.batch,
                "published": variant.published,
                "reason": variant.reason,
            }
            for variant in manifest.variants
        ],
    }


def _summary(trained: Trained, result: dict[str, Any]) -> str:
    published, manifest = trained.published, trained.published.manifest
    lines = [f"{manifest.name}/{manifest.version} is published in {published.folder} after {result['seconds']:.0f} s"]
    for variant in manifest.variants:
        batch = variant.latency_seconds.batch
        scores = ", ".join(f"{name} {it.value:.4f} ({it.lower:.4f} to {it.upper:.4f})" for name, it in variant.metrics.items())
        mark = "*" if variant.name == manifest.default_variant else ""
        lines.append(
            f"  {variant.name + mark:<13} {scores}, "
            f"{variant.bytes / 1e3:,.0f} kB, {batch['1'] * 1e3:.3f} ms at batch 1, {batch['32'] * 1e3:.3f} ms at batch 32"
            + ("" if variant.published else f"; not published: {variant.reason}")
        )
    lines.append("  * served by default")
    if trained.folds:
        lines.append(str(trained.folds))
    following = f"veleta promote {manifest.name} {manifest.version}" if not result["live"] else "veleta serve"
    return "\n".join([*lines, f"{'It is live' if result['live'] else 'Another version is live'}; next: {following}"])
