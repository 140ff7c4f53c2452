"""The record as a page: one file without script and network. Whatever comes from outside, names above all, is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import numpy as np
from markupsafe import Markup

from monitoring.incidents.wording import duration
from training.diagnosis.facts import GRADIENT
from training.publishing.confusion import MANY_CLASSES, heat
from training.publishing.curves import Line, chart
from training.runs.changes import Change, changes
from training.runs.family import families
from training.runs.run import Fit, Run
from training.runs.words import describe_difference, verdict_counts, what_changed

_TEMPLATES = (Path(__file__).with_name("templates"), Path(__file__).parents[1] / "publishing" / "templates")
#: Colours that can be told apart; the lines of further runs are grey.
_COLOURS = 8
#: A loss whose ends are further apart than this factor is drawn on a logarithmic axis.
_WIDE = 50.0
_COMPARED = {
    "Validation loss": "val_loss",
    "Training loss": "loss",
    "Validation accuracy": "val_accuracy",
    "Validation error": "val_mae",
    "Learning rate": "learning_rate",
}


@dataclass(frozen=True)
class Chapter:
    """One run on the page."""

    run: Run
    colour: str
    change: str
    against: Run | None
    changes: list[Change]
    charts: dict[str, Markup]
    layers: list[tuple[str, str]]
    confusion: list[list[tuple[int, int]]] | None


def render(chosen: Sequence[Run], everything: Sequence[Run]) -> str:
    """The page about the chosen runs, oldest first. `everything` is the whole record, in which their relatives are found."""
    loaders = [jinja2.FileSystemLoader(folder) for folder in _TEMPLATES]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"duration": duration, "verdict_counts": verdict_counts, "difference": describe_difference}
    colours = _colours(chosen)
    return environment.get_template("runs.html").render(
        chapters=[_chapter(run, colours[run.id], everything) for run in chosen],
        compared=_compared(chosen, colours),
        families=families(chosen, everything),
        chosen={run.id for run in chosen},
        best=_best(chosen),
        seconds=sum(run.seconds for run in chosen),
        names=list(dict.fromkeys(run.plan.name for run in chosen)),
    )


def _colours(runs: Sequence[Run]) -> dict[int, str]:
    """Run → class of its lines. The best get the colours, as nobody can tell thirty apart."""
    ranked = sorted((run for run in runs if run.fits), key=lambda run: (-_validation(run), run.id))
    coloured = {run.id for run in ranked[:_COLOURS]}
    numbers = iter(range(_COLOURS))
    return {run.id: f"c{next(numbers)}" if run.id in coloured else "other" for run in runs}


def _best(runs: Sequence[Run]) -> Run | None:
    scored = [run for run in runs if run.score("validation")]
    return max(scored, key=_validation) if scored else None


def _validation(run: Run) -> float:
    score = run.score("validation", "accuracy")
    return score[1].value if score else -1.0


def _compared(runs: Sequence[Run], colours: dict[int, str]) -> dict[str, Markup]:
    """One chart a figure, with a line for each run. The grey ones are drawn first, under the others."""
    fits = [(run, run.fits[0]) for run in sorted(runs, key=lambda run: colours[run.id] != "other") if run.fits]
    drawn = {}
    for title, figure in _COMPARED.items():
        lines = [Line(f"run {run.id}", fit.curves[figure], colours[run.id]) for run, fit in fits if figure in fit.curves]
        drawn[title] = chart(lines, title, _is_log(figure, lines))
    return {title: picture for title, picture in drawn.items() if picture}


def _is_log(figure: str, lines: Sequence[Line]) -> bool:
    values = [value for line in lines for value in line.values if value is not None and value > 0]
    if figure == "learning_rate" or figure.startswith(GRADIENT):
        return bool(values)
    return "loss" in figure and bool(values) and max(values) > _WIDE * min(values)


def _chapter(run: Run, colour: str, everything: Sequence[Run]) -> Chapter:
    against = next((other for other in everything if other.id == run.plan.parent and other.plan.recipe), None)
    earlier = [other for other in reversed(everything) if other.id < run.id]
    against = against or next((other for other in earlier if (other.plan.name, other.plan.kind) == (run.plan.name, run.plan.kind)), None)
    confusion = run.result.confusion
    layers = run.fits[0].layers if run.fits else []
    return Chapter(
        run,
        colour,
        what_changed(run, earlier),
        against,
        changes(against, run) if against else [],
        {title: picture for fit in run.fits for title, picture in _own_charts(fit).items() if picture},
        [(layer, _layer_colour(place)) for place, layer in enumerate(layers)],
        heat(np.array(confusion)) if confusion and len(confusion) <= MANY_CLASSES else None,
    )


def _own_charts(fit: Fit) -> dict[str, Markup]:
    """Training beside validation, and the gradients of each layer."""
    charts = {}
    for figure, title in (("loss", "loss"), ("accuracy", "accuracy"), ("mae", "error")):
        pairs = (("training", figure), ("validation", f"val_{figure}"))
        lines = [Line(kind, fit.curves[key], kind) for kind, key in pairs if key in fit.curves]
        charts[f"{fit.what}: {title}"] = chart(lines, title, _is_log(figure, lines))
    rates = [Line("learning rate", fit.curves.get("learning_rate", ()), "validation")]
    charts[f"{fit.what}: learning rate"] = chart(rates, "learning rate", _is_log("learning_rate", rates))
    norms = [Line(layer, fit.curves[GRADIENT + layer], _layer_colour(place)) for place, layer in enumerate(fit.layers)]
    charts[f"{fit.what}: gradient norms by layer"] = chart(norms, "gradient norms", _is_log(GRADIENT, norms))
    return charts


def _layer_colour(place: int) -> str:
    return f"c{place}" if place < _COLOURS else "other"
