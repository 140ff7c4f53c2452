"""The variants: the network as it is and pruned, each as float32 and as int8."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from models.manifest import VARIANTS
from monitoring.arrays import FloatArray
from training.compression.channels import Groups
from training.compression.prune import choose, rebuild
from training.compression.quantize import quantize
from training.data.parts import Problem, Split
from training.fitting.attempt import refit
from training.fitting.fit import History, Schedule
from training.fitting.progress import Progress
from training.onnx.export import export, keras_answer
from training.onnx.graph import Graph
from training.recipe import Recipe

_IMPORTANCE_ROWS = 2048
#: The pruned network learns half from the labels and half from what its parent says (Hinton et al. 2015, arXiv 1503.02531, section 2,
#: at temperature 1: the parent's probabilities are targets like any other, so the loss stays the cross-entropy).
_FROM_PARENT = 0.5


def shrink(network: Any, recipe: Recipe, problem: Problem, split: Split, targets: FloatArray, progress: Progress) -> tuple[Any, History]:
    """The network with the recipe's share of its filters and neurons, fine-tuned; and how that went. `targets` are (n, classes)."""
    rows = split.train.draw(_IMPORTANCE_ROWS, recipe.seed)
    groups = Groups.of(Graph.of(network))
    small = rebuild(network, groups, choose(network, groups, recipe.prune_keep, rows))
    progress.say(f"pruned from {network.count_params():,} to {small.count_params():,} parameters")
    softened = (1 - _FROM_PARENT) * targets + _FROM_PARENT * keras_answer(network, split.train.x)[0]
    schedule = Schedule(recipe.prune_epochs, recipe.prune_max_updates, recipe.patience, recipe.batch_size)
    return small, refit(small, recipe, problem, split, softened, schedule, progress)


def write_variants(folder: Path, network: Any, pruned: Any, recipe: Recipe, split: Split, progress: Progress) -> dict[str, Path]:
    """Write the ONNX files; the float ones are checked against Keras on the test rows. Returns variant → file."""
    paths = {variant: folder / file for variant, file in VARIANTS.items()}
    calibration = split.train.draw(recipe.calibration_rows, recipe.seed)
    for model, name in ((network, "fp32"), (pruned, "pruned")):
        small = "int8" if name == "fp32" else f"{name}-int8"
        export(model, paths[name], split.test.x, recipe.seed)
        choice = quantize(paths[name], paths[small], calibration, split.validation)
        progress.say(f"exported {name} and {small} ({choice})")
    return paths
