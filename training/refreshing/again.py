"""What a live version was made of: its recipe and its original data, which may have gone elsewhere since."""

from __future__ import annotations

from dataclasses import dataclass

from models.manifest import Manifest
from models.store import Published, Store
from training.data.parts import DataSet
from training.data.sources import NAMES, load
from training.data.wanted import Wanted
from training.errors import DataError, RefreshError
from training.recipe import Source, recorded_recipe
from training.runs.record import Record
from training.runs.run import Run


@dataclass(frozen=True)
class Again:
    """What a live version was made of."""

    live: Published
    source: Source
    dataset: DataSet


def find_again(store: Store, name: str, data: str | None, wanted: Wanted) -> Again:
    """What the live version was made of; `data` says where its original data is now, if not where it was. Raises VeletaError."""
    live = store.open(name)
    manifest = live.manifest
    run = _run_of(manifest, Record.of(store.root))
    if manifest.training.recipe.get("epochs") == 0:
        base = f" --set base={name}/{manifest.version}" if "model.json" in manifest.files else ""
        raise RefreshError(
            f"{name}/{manifest.version} was imported, so how it was trained is not known; "
            f"{'go on from it' if base else 'train another'} with `veleta train --data DATA --name {name}{base}`"
        )
    source = recorded_recipe(manifest.training.recipe, run.plan.reasons if run else {})
    dataset = _original(manifest, run, data, wanted)
    if dataset.classes != manifest.classes:
        raise RefreshError(f"the classes of {dataset.name} are not those of {name}/{manifest.version}; train with `veleta train`")
    return Again(live, source, dataset)


def _run_of(manifest: Manifest, record: Record) -> Run | None:
    """The training that the record tells of, which may have been on another machine."""
    return next((run for run in record.runs(manifest.name)[0] if run.result.version == manifest.version), None)


def _original(manifest: Manifest, run: Run | None, data: str | None, wanted: Wanted) -> DataSet:
    """The data set that the version learnt from, without what production had labelled by then."""
    dataset, version = manifest.training.dataset, f"{manifest.name}/{manifest.version}"
    asked = {"data": data, **wanted.said()} if data else dict(run.plan.asked) if run else {}
    if not asked and dataset.name in NAMES:
        asked = {"data": dataset.name}
    if not asked:
        raise RefreshError(f"where the data of {version} is, {dataset.name!r}, is not on record here; say it with --data")
    where = asked.pop("data")
    try:
        found = load(where, Wanted(**asked))
    except DataError as error:
        raise RefreshError(f"the data of {version} is needed once more, and {error}; say with --data where it is now") from error
    learnt = dataset.original_sha256 or dataset.sha256
    if found.sha256 != learnt:
        raise RefreshError(
            f"{where} is not what {version} learnt from: its sha256 is {found.sha256[:12]}…, not {learnt[:12]}…; "
            f"say with --data where that is, or train anew with `veleta train --data {where}`"
        )
    return found
