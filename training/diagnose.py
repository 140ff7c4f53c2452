"""The command `veleta diagnose`, and the record of what it tries: a run for each trial, below the one that it changes."""

from __future__ import annotations

import argparse
import dataclasses
import json
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from models.commands import add_store, open_store
from models.manifest import Dataset
from training.data.wanted import Wanted, add_data
from training.errors import RecipeError, TrainingError
from training.extra import need_the_extra
from training.recipe import Source
from training.runs.record import Record
from training.runs.run import Plan, Result

if TYPE_CHECKING:  # it loads Keras
    from monitoring.arrays import FloatArray
    from training.data.parts import Part
    from training.diagnosis.repair import Trial

_ROUNDS = 6


def configure_diagnose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recipe", type=Path, metavar="RECIPE.toml", help="the recipe that does not train as it should")
    parser.add_argument("--set", nargs="+", action="extend", default=[], metavar="key=value", help="change a value of the recipe")
    add_data(parser)
    parser.add_argument(
        "--rounds", type=int, default=_ROUNDS, metavar="N", help=f"remedies to try at most (default {_ROUNDS}; 0: only name)"
    )
    parser.add_argument(
        "--updates", type=int, default=0, metavar="N", help="a bound on the updates of each training (default: the recipe's)"
    )
    parser.add_argument("--random", action="store_true", help="beside it, as many trials with remedies drawn at random")
    parser.add_argument("--out", type=Path, metavar="FILE", help="where the mended recipe goes (default: RECIPE.mended.toml)")
    add_store(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def diagnose(arguments: argparse.Namespace) -> None:
    """Train, name what is wrong, and keep the remedies that are proved to help. Nothing is published."""
    from training.data.sources import load
    from training.quiet import load_keras_quietly
    from training.recipe import read_recipe

    source = read_recipe(arguments.recipe, arguments.set)
    if arguments.rounds < 0 or arguments.updates < 0:
        raise TrainingError("--rounds and --updates count from 0; leave them out for the usual")
    store = open_store(arguments)
    store.check_writable()
    need_the_extra()
    dataset = load(arguments.data, Wanted.of(arguments))
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    load_keras_quietly()
    from training.data.told import sentences
    from training.diagnosis.repair import Repairer
    from training.diagnosis.report import as_data, as_text, mended
    from training.fitting.progress import Progress
    from training.networks.base import with_base

    progress = Progress()
    recipe = with_base(source.recipe, store)
    if arguments.updates:
        recipe = dataclasses.replace(recipe, max_updates=min(recipe.max_updates, arguments.updates))
    split = dataset.split(recipe.seed, recipe.max_rows)
    for sentence in sentences(dataset, split):
        progress.say(sentence)
    data = dataset.described(split)

    def repairer(words: str, rounds: int) -> Repairer:
        noted = _Noted(Record.of(store.root), dataset.name, source, data, split.problem.classes, words)

        def note(trial: Trial, answers: FloatArray | None, part: Part) -> None:
            noted.trial(trial, answers, part)
            progress.say(f"{words}{trial}")

        return Repairer(split.problem, progress.heard_by(noted), note, rounds)

    done = repairer("", arguments.rounds).repair(recipe, split)
    by_chance = None
    if arguments.random:
        by_chance = repairer("at random: ", len(done.trials) - 1).repair_at_random(recipe, split, recipe.seed)
    text, out = mended(source, done), arguments.out or arguments.recipe.with_suffix(".mended.toml")
    if done.changes:
        try:
            out.write_text(text, encoding="utf-8")
        except OSError as error:
            raise RecipeError(f"{out} cannot be written: {error.strerror}; name another file with --out") from error
    if arguments.json:
        print(json.dumps(as_data(done, by_chance, text, str(out)), ensure_ascii=False))
    else:
        print(as_text(done, by_chance, str(out)))


class _Noted:
    """Hears the epochs of a trial, and records it as a run once it is over. `words` go before what it changed. A trial begins where the
    one before it ended.
    """

    def __init__(self, record: Record, name: str, source: Source, data: Dataset, classes: tuple[str, ...], words: str) -> None:
        self._record, self._name, self._source, self._data, self._classes, self._words = record, name, source, data, classes, words
        self._epochs: list[tuple[str, int, dict[str, float]]] = []
        self._runs: dict[int, int] = {}
        self._since = time.monotonic()

    def epoch(self, what: str, epoch: int, figures: Mapping[str, float]) -> None:
        self._epochs.append((what, epoch, dict(figures)))

    def trial(self, trial: Trial, answers: FloatArray | None, part: Part) -> None:
        parent = None if trial.parent is None else self._runs[trial.parent]
        change = f"{self._words}{trial.change}" + (f" (for {trial.reason})" if trial.reason else "")
        recipe, source = trial.recipe.to_dict(), self._source
        plan = Plan("remedy", self._name, source.name, recipe, source.reasons, self._data, parent, change)
        with self._record.start(plan, time.monotonic() - self._since) as run:
            for epoch in self._epochs:
                run.epoch(*epoch)
            run.finish(self._result(trial, answers, part))
        self._runs[trial.number] = run.id
        self._epochs.clear()
        self._since = time.monotonic()

    def _result(self, trial: Trial, answers: FloatArray | None, part: Part) -> Result:
        from training.runs.outcome import validation_result  # loads ONNX Runtime

        facts = {"found": list(trial.found), "kept": trial.kept, "proof": str(trial.proof or "")}
        if answers is None or not self._classes:
            return Result(facts=facts | {"validation": round(trial.validation, 6)})
        return validation_result(answers, part, self._classes, None, **facts)
