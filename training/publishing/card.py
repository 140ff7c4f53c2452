"""The model card: one page, for people, that says what the model is, how it was made, how good it is and where it fails.

After Mitchell et al., "Model cards for model reporting" (FAT* 2019, arXiv 1810.03993). It needs no network and no script. Whatever
comes from a user, labels and names of files above all, is escaped by the template engine.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import jinja2

from models.manifest import Manifest
from training.data.parts import DataSet
from training.fitting.fit import History
from training.publishing.confusion import MANY_CLASSES, heat
from training.publishing.curves import curves
from training.publishing.evaluate import Score
from training.recipe import Source

_TEMPLATES = Path(__file__).with_name("templates")


@dataclass(frozen=True)
class Card:
    """What the page tells of."""

    manifest: Manifest
    source: Source
    dataset: DataSet
    history: History
    tuning: History
    scores: dict[str, Score]


def write_card(path: Path, card: Card) -> None:
    """Write the page."""
    path.write_text(render(card), encoding="utf-8")


def render(card: Card) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    default, score = card.manifest.variant(), card.scores[card.manifest.default_variant]
    return environment.get_template("card.html").render(
        manifest=card.manifest,
        training=card.manifest.training,
        dataset=card.dataset,
        source=card.source,
        reasons=card.source.reasons,
        default=default,
        fits=[("The network", card.history, _charts(card.history)), ("The pruned network, fine-tuned", card.tuning, _charts(card.tuning))],
        classes=_classes(card.manifest.classes, score),
        confusion=heat(score.confusion) if len(card.manifest.classes) <= MANY_CLASSES else None,
        mistakes=_mistakes(card.manifest.classes, score),
    )


def _charts(history: History) -> dict[str, str]:
    return {
        "Loss": curves(history.loss, history.validation_loss, history.best, "Loss"),
        "Accuracy": curves(history.accuracy, history.validation_accuracy, history.best, "Accuracy"),
    }


def _classes(labels: tuple[str, ...], score: Score) -> list[tuple[str, int, float, float]]:
    """Label, test rows, precision and recall of each class."""
    rows = score.confusion.sum(axis=1)
    return [(label, int(rows[i]), float(score.precision[i]), float(score.recall[i])) for i, label in enumerate(labels)]


def _mistakes(labels: tuple[str, ...], score: Score, count: int = 3) -> list[tuple[str, str, int]]:
    """The commonest mistakes: what it was, what it was taken for, how often."""
    cells = [
        (int(score.confusion[actual, predicted]), labels[actual], labels[predicted])
        for actual in range(len(labels))
        for predicted in range(len(labels))
        if actual != predicted and score.confusion[actual, predicted]
    ]
    return [(actual, predicted, times) for times, actual, predicted in sorted(cells, key=lambda cell: -cell[0])[:count]]
