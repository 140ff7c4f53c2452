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
from training.fitting.folds import CrossValidation
from training.publishing.curves import curves
from training.publishing.evaluate import Score, ValueScore
from training.publishing.rightness import rightness
from training.recipe import Source

_TEMPLATES = Path(__file__).with_name("templates")
#: What the page calls a metric of the manifest.
_METRICS = {"accuracy": "Accuracy", "mae": "Mean absolute error", "rmse": "Root mean squared error"}


@dataclass(frozen=True)
class Card:
    """What the page tells of."""

    manifest: Manifest
    source: Source
    dataset: DataSet
    history: History
    tuning: History | None
    scores: dict[str, Score | ValueScore]
    folds: CrossValidation | None = None


def write_card(path: Path, card: Card) -> None:
    """Write the page."""
    path.write_text(render(card), encoding="utf-8")


def render(card: Card) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    fits = (("The network", card.history), ("The pruned network, fine-tuned", card.tuning))
    default, score = card.manifest.variant(), card.scores[card.manifest.default_variant]
    return environment.get_template("card.html").render(
        manifest=card.manifest,
        training=card.manifest.training,
        dataset=card.dataset,
        source=card.source,
        reasons=card.source.reasons,
        folds=card.folds,
        default=default,
        fits=[(what, history, _charts(history)) for what, history in fits if history],
        heads=_METRICS,
        **rightness(card.manifest.classes, score),
    )


def _charts(history: History) -> dict[str, str]:
    what = "Accuracy" if history.metric_name == "accuracy" else "Mean absolute error"
    return {
        "Loss": curves(history.loss, history.validation_loss, history.best, "Loss"),
        what: curves(history.metric, history.validation_metric, history.best, what),
    }
