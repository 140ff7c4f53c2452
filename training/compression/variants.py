"""The variants: the network as it is and pruned, each as float32 and as int8."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.manifest import VARIANTS
from monitoring.arrays import FloatArray
from training.compression.bits import pack
from training.compression.channels import Groups
from training.compression.prune import choose, rebuild
from training.compression.quantize import quantize
from training.data.parts import Problem, Split
from training.fitting.attempt import refit
from training.fitting.fit import History, Schedule
from training.fitting.progress import Progress
from training.networks.binary import binarized, settled
from training.onnx.export import export
from training.onnx.graph import Graph
from training.recipe import Recipe

_IMPORTANCE_ROWS = 2048
#: The pruned network learns half from the labels and half from what its parent says (Hinton et al. 2015, arXiv 1503.02531, section 2,
#: at temperature 1: the parent's probabilities are targets like any other, so the loss stays the cross-entropy).
_FROM_PARENT = 0.5


def shrink(
    network: Any, recipe: Recipe, problem: Problem, split: Split, targets: FloatArray, progress: Progress
) -> tuple[Any, History | None]:
    """The network with the recipe's share of its filters and neurons, fine-tuned; and how that went. `targets` are (n, classes) or (n, 1).

    If nothing may be cut, it is the same network, as it was, and nothing was tuned.
    """
    rows = split.train.draw(_IMPORTANCE_ROWS, recipe.seed)
    graph = Graph.of(network)
    groups = Groups.of(graph)
    small = rebuild(network, groups, choose(network, groups, recipe.prune_keep, rows))
    if small.count_params() == network.count_params():
        progress.say("nothing in this network can be cut, or prune_keep leaves all; the pruned variants are the network itself")
        return small, None
    for layer in small.layers:  # what was frozen has to find its way with less, too
        layer.trainable = True
    progress.say(f"pruned from {network.count_params():,} to {small.count_params():,} parameters")
    softened = (1 - _FROM_PARENT) * targets + _FROM_PARENT * network.predict(split.train.x, batch_size=graph.rows_at_once(), verbose=0)
    schedule = Schedule(recipe.prune_epochs, recipe.prune_max_updates, recipe.patience, recipe.batch_size)
    learning = small if recipe.kernels == "float" else binarized(small)
    tuning = refit(learning, recipe, problem, split, softened, schedule, progress)
    return settled(learning), tuning


def write_variants(folder: Path, networks: Mapping[str, Any], recipe: Recipe, split: Split, progress: Progress) -> dict[str, Path]:
    """Write the ONNX files, each of the network of its variant; the float ones are checked against Keras on the test rows. Returns
    variant → file.
    """
    paths = {variant: folder / VARIANTS[variant] for variant in networks}
    for whole, small in (("fp32", "int8"), ("pruned", "pruned-int8")):
        export(networks[whole], paths[whole], split.test.x, recipe.seed)
        choice = quantize(paths[whole], paths[small], split.train.draw(recipe.calibration_rows, recipe.seed), split.validation)
        for name in (whole, small):
            pack(paths[name])
        progress.say(f"exported {whole} and {small} ({choice})")
    return paths
