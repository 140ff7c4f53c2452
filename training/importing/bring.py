"""Bring a network that was trained elsewhere to the shelf: read it, fit it to the door, shrink it as a training does, publish it."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from pathlib import Path

from models.manifest import VARIANTS
from models.store import Published, Store
from training.compression.bits import pack
from training.compression.quantize import quantize
from training.compression.variants import shrink, write_variants
from training.data.parts import DataSet, Divided
from training.data.told import sentences
from training.errors import NetworkError
from training.fitting.fit import targets_of
from training.fitting.progress import Progress
from training.importing.door import Door, Found, find_door
from training.importing.keras_network import KerasNetwork
from training.importing.onnx_network import OnnxNetwork
from training.networks.arguments import first_sentence
from training.publishing.card import Brought, Story
from training.publishing.evaluate import evaluate
from training.publishing.keras_files import write_keras_files
from training.publishing.publish import Made, publish
from training.recipe import Source
from training.runs.outcome import published_result
from training.runs.record import Record
from training.runs.run import Plan


def bring(
    files: Sequence[Path], source: Source, dataset: DataSet, name: str, store: Store, progress: Progress, pixels: str | None = None
) -> Published:
    """Publish the network of `files` as the next version of `name`; the record tells of it, whatever comes of it.

    The rows of the data set take the parts that they have in a training: the training rows find the ranges of int8 and fine-tune what is
    pruned, the validation rows choose, the test rows become the reference. Of the recipe only that is used. `pixels`: what the network
    wants them to be, a key of RANGES; None: what suits the rows. Raises VeletaError.
    """
    split = dataset.split(source.recipe.seed, source.recipe.max_rows)
    for sentence in sentences(dataset, split):
        progress.say(sentence)
    source = source.found(f"as it was brought: {_digests(files)}", base=" ".join(file.name for file in files), epochs=0, layers=())
    record, data = Record.of(store.root), dataset.described(split)
    plan = Plan("import", name, source.name, source.recipe.to_dict(), source.reasons, data, asked=dataset.asked)
    with record.start(plan) as run, tempfile.TemporaryDirectory(prefix="veleta-import-") as folder:
        work, heard = Path(folder), progress.heard_by(run)
        fitted = _from_onnx if _is_onnx(files) else _from_keras
        made, story = fitted(files, source, split, work, heard, pixels)
        published, scores = publish(made, work, name, store, source, dataset, split, story, (), heard)
        validation = evaluate(made.paths["fp32"], split.validation, len(split.problem.classes))
        run.finish(published_result(published.manifest, "fp32", validation, scores["fp32"], split))
    progress.say(f"recorded as run {run.id}")
    return published


def _from_keras(
    files: Sequence[Path], source: Source, split: Divided, work: Path, progress: Progress, pixels: str | None
) -> tuple[Made, Story]:
    brought, problem, recipe = KerasNetwork(files), split.problem, source.recipe
    door = _door(find_door(brought.ask, brought.takes, problem, split.train, pixels), progress)
    network = brought.behind(door, problem.input)
    pruned, tuning = shrink(network, recipe, problem, split, targets_of(split.train.y, len(problem.classes)), progress)
    networks = {"fp32": network, "int8": network, "pruned": pruned, "pruned-int8": pruned}
    made = Made.of(write_variants(work, networks, recipe, split, progress), networks)
    write_keras_files(network, work)
    return made, Story(tuning=tuning, brought=_brought(files, door, brought.layers))


def _from_onnx(
    files: Sequence[Path], source: Source, split: Divided, work: Path, progress: Progress, pixels: str | None
) -> tuple[Made, Story]:
    """Without the pruned variants: what is in an ONNX file can no longer be trained."""
    problem = split.problem
    brought = OnnxNetwork(files[0], len(problem.classes) or 1)
    door = _door(find_door(brought.ask, brought.takes, problem, split.train, pixels), progress)
    paths = {"fp32": work / VARIANTS["fp32"]}
    brought.write(paths["fp32"], door, problem.input, problem.task, split.test.x)
    if brought.has_products:
        paths |= _int8_of(paths["fp32"], work / VARIANTS["int8"], source, split, progress)
    else:
        progress.say("nothing in it is multiplied with a kernel, so int8 would bring nothing; only fp32 is published")
    head = brought.head(paths["fp32"], split.validation.x)
    made = Made(paths, dict.fromkeys(paths, brought.parameters), dict.fromkeys(paths, head))
    return made, Story(brought=_brought(files, door, brought.layers))


def _int8_of(whole: Path, small: Path, source: Source, split: Divided, progress: Progress) -> dict[str, Path]:
    rows = split.train.draw(source.recipe.calibration_rows, source.recipe.seed)
    try:
        progress.say(f"exported fp32 and int8 ({quantize(whole, small, rows, split.validation)})")
        pack(small)
    except Exception as error:  # ONNX Runtime's quantizer raises whatever a graph of others leads it to
        small.unlink(missing_ok=True)
        progress.say(f"int8 cannot be made of it, only fp32 is published: {first_sentence(error)}")
        return {}
    return {"int8": small}


def _door(found: Found, progress: Progress) -> Door:
    for line in (*found.door.changes(), *([found.why] if found.why else [])):
        progress.say(line)
    return found.door


def _brought(files: Sequence[Path], door: Door, layers: tuple[tuple[str, str], ...]) -> Brought:
    return Brought({file.name: _digest(file) for file in files}, tuple(door.changes()), layers, in_keras=not _is_onnx(files))


def image_of(files: Sequence[Path]) -> tuple[int, int, int] | None:
    """The (height, width, channels) of an image as the network takes it; None if that is no image, or may be of any size."""
    takes = OnnxNetwork(files[0]).takes if _is_onnx(files) else KerasNetwork(files).takes
    if len(takes) == 3 and takes[2] not in (1, 3):  # the channels may come first
        takes = (*takes[1:], takes[0])
    sizes = tuple(size for size in takes if size)
    return (sizes[0], sizes[1], sizes[2]) if len(sizes) == len(takes) == 3 and sizes[2] in (1, 3) else None


def _is_onnx(files: Sequence[Path]) -> bool:
    return files[0].suffix.lower() == ".onnx"


def _digests(files: Sequence[Path]) -> str:
    return ", ".join(f"{file.name} sha256 {_digest(file)}" for file in files)


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    except OSError as error:
        raise NetworkError(f"{file} cannot be read: {error.strerror}") from error
