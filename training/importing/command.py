"""The command `veleta import`."""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections.abc import Sequence
from pathlib import Path

from models.commands import add_store, open_store
from models.store import check_name
from training import interruption
from training.data.pixels import RANGES, WHOLE
from training.data.wanted import Wanted, add_looks
from training.errors import NetworkError, RecipeError, TrainingError
from training.extra import need_the_extra
from training.publishing.told import result_of, summary_of
from training.recipe import OF_TRAINING, Source, default_recipe, read_recipe

_HDF5 = (".h5", ".hdf5")


def configure_import(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="a .keras file, model.json and model.h5, a whole model in .h5, or an .onnx file"
    )
    parser.add_argument("--name", required=True, help="the model's name")
    parser.add_argument(
        "--reference",
        required=True,
        metavar="DATA",
        help="rows that the network has not learnt from, with what they are: a .npz file with x and y, or what `veleta train --data` takes",
    )
    parser.add_argument("--pixels", choices=RANGES, help="what the network wants pixels to be (default: as x is, or what suits it)")
    add_looks(parser)
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="key=value",
        help="how it is shrunk, as in prune_keep=0.7 or prune_epochs=3",
    )
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def import_(arguments: argparse.Namespace) -> None:
    """Read, shrink, publish, and say what came of it. Whatever can be known to fail is checked before Keras is even loaded."""
    from training.data.sources import load
    from training.quiet import load_keras_quietly

    started = time.monotonic()
    name, files = check_name(arguments.name), _checked(arguments.files)
    store = open_store(arguments)
    store.check_writable()
    need_the_extra()
    wanted = Wanted.of(arguments)
    if Path(arguments.reference).is_dir():  # images of any size, which become what the network takes
        load_keras_quietly()
        from training.importing.bring import image_of

        wanted = dataclasses.replace(wanted, image=image_of(files))
    dataset = load(arguments.reference, wanted)
    if dataset.frame is not None:
        raise NetworkError(f"the reference {arguments.reference} is a table; give a .npz file with x as the network takes it, and y")
    kind = dataset.problem.input.kind
    if arguments.pixels and kind != "image":
        raise NetworkError(f"--pixels is {arguments.pixels}, and the reference has no images but the kind {kind}; give --kind image")
    pixels = arguments.pixels or (dataset.pixels if dataset.pixels != WHOLE else None)
    source = _recipe(arguments, kind, dataset.task)
    interruption.listen()

    load_keras_quietly()
    from training.fitting.progress import Progress
    from training.importing.bring import bring

    try:
        published = bring(files, source, dataset, name, store, Progress(), pixels)
    except OSError as error:
        raise TrainingError(f"the import cannot use its work folder: {error}; set TMPDIR to one with room") from error
    result = result_of(published, store, time.monotonic() - started)
    print(json.dumps(result, ensure_ascii=False) if arguments.json else summary_of(published, result))


def _recipe(arguments: argparse.Namespace, kind: str, task: str) -> Source:
    """How the network is shrunk. Raises RecipeError for what only a training does."""
    source = read_recipe(default_recipe(arguments.reference, kind, task), arguments.set)
    for setting in arguments.set:
        key = setting.partition("=")[0].partition(".")[0]
        if key in OF_TRAINING:
            raise RecipeError(
                f"--set {setting}: an import trains nothing but what is pruned; to go on from a network, train with base=FILE"
            )
    return source


def _checked(files: Sequence[Path]) -> list[Path]:
    """The files, the architecture first. Raises NetworkError if they are not one network."""
    for file in files:
        if file.is_dir():
            raise NetworkError(f"{file} is a folder; give a .keras file, model.json and model.h5, an .h5 file or an .onnx file")
        if not file.is_file():
            raise NetworkError(f"there is no file {file}")
    ordered = sorted(files, key=lambda file: file.suffix.lower() != ".json")
    kinds = [file.suffix.lower() for file in ordered]
    if len(kinds) == 1 and kinds[0] in (".keras", ".onnx", *_HDF5):
        return ordered
    if len(kinds) == 2 and kinds[0] == ".json" and kinds[1] in _HDF5:
        return ordered
    if kinds == [".json"]:
        raise NetworkError(f"{files[0]} has the layers but not their weights; give model.h5 as well")
    raise NetworkError(
        f"{' and '.join(map(str, files))} {'are' if len(files) > 1 else 'is'} not one network; give a .keras file, "
        "model.json and model.h5, an .h5 file or an .onnx file"
    )
