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
from training.recipe import OF_INT8, OF_TRAINING, Source

_TEMPLATES = Path(__file__).with_name("templates")
#: What the page calls a metric of the manifest.
_METRICS = {"accuracy": "Accuracy", "mae": "Mean absolute error", "rmse": "Root mean squared error"}


@dataclass(frozen=True)
class Brought:
    """A network that was trained elsewhere: its files with their sha256, what was put around it, and its layers with what they give,
    or, where it is not `in_keras` and so can no longer be trained, its operators with how often there are.
    """

    files: dict[str, str]
    changes: tuple[str, ...]
    layers: tuple[tuple[str, str], ...]
    in_keras: bool


@dataclass(frozen=True)
class Story:
    """How the network came to be: how it was fitted, fine-tuned when it was pruned, and cross-validated; or how it was brought."""

    history: History | None = None
    tuning: History | None = None
    folds: CrossValidation | None = None
    brought: Brought | None = None

    @property
    def in_keras(self) -> bool:
        """Whether there is a Keras network."""
        return self.brought is None or self.brought.in_keras

    def uses(self, key: str) -> bool:
        """Whether it came to be by this key of the recipe, which the page has as a table."""
        if self.brought is None:
            return key not in ("layers", "name")
        return key not in OF_TRAINING if self.in_keras else key in OF_INT8


@dataclass(frozen=True)
class Card:
    """What the page tells of."""

    manifest: Manifest
    source: Source
    dataset: DataSet
    scores: dict[str, Score | ValueScore]
    story: Story


def write_card(path: Path, card: Card) -> None:
    """Write the page."""
    path.write_text(render(card), encoding="utf-8")


def render(card: Card) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    fits = (("The network", card.story.history), ("The pruned network, fine-tuned", card.story.tuning))
    default, score = card.manifest.variant(), card.scores[card.manifest.default_variant]
    return environment.get_template("card.html").render(
        manifest=card.manifest,
        training=card.manifest.training,
        dataset=card.dataset,
        source=card.source,
        reasons=card.source.reasons,
        folds=card.story.folds,
        brought=card.story.brought,
        in_keras=card.story.in_keras,
        used=[key for key in card.manifest.training.recipe if card.story.uses(key)],
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
