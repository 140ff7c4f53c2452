"""The model card: what users wrote is text there and never markup; the curves are where they should be."""

from __future__ import annotations

import dataclasses
import math
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from models.store import Published
from training.data.parts import DataSet, images
from training.fitting.fit import History
from training.publishing.card import Brought, Card, Story, render
from training.publishing.curves import curves, nice_ticks
from training.publishing.evaluate import Score
from training.recipe import read_recipe

pytestmark = pytest.mark.training
HISTORY = History([1.0, 0.5], [0.6, 0.8], [0.9, 0.7], [0.5, 0.7], 1)


def card(published: Published, evil: str) -> Card:
    """A card whose every text is `evil`."""
    classes = (evil, *published.manifest.classes[1:])
    manifest = dataclasses.replace(published.manifest, classes=classes)
    source = read_recipe(None, [f"optimizer={evil}"])
    source = dataclasses.replace(source, name=evil, reasons=dict.fromkeys(source.reasons, evil))
    confusion = np.eye(10, dtype=np.int64)
    confusion[0, 3] = 7
    score = Score(manifest.variant().metrics["accuracy"], confusion, np.eye(10), np.eye(10))
    dataset = DataSet(evil, evil, classes, images(np.zeros((1, 784)), np.zeros(1)))
    return Card(manifest, source, dataset, {variant.name: score for variant in manifest.variants}, Story(HISTORY, HISTORY))


def test_markup_of_users_is_text(published: Published) -> None:
    page = render(card(published, "<script>alert('1')</script>"))
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#39;1&#39;)" in page


def test_mistakes_are_named(published: Published) -> None:
    assert "boot taken for 3 (7×)" in render(card(published, "boot"))


def test_refused_variant_is_shown_with_its_reason(published: Published) -> None:
    shown = card(published, "boot")
    *others, last = shown.manifest.variants
    refused = dataclasses.replace(last, published=False, reason="it is slower than fp32")
    fp32 = dataclasses.replace(shown.manifest, variants=(*others, refused), default_variant="fp32")
    page = render(dataclasses.replace(shown, manifest=fp32))
    assert "Not published: it is slower than fp32." in page


def test_a_network_that_was_not_tuned_has_no_curves_of_that(published: Published) -> None:
    shown = card(published, "boot")
    assert "fine-tuned" in render(shown)
    assert "fine-tuned" not in render(dataclasses.replace(shown, story=Story(HISTORY)))


def test_a_network_that_was_brought_is_told_as_such(published: Published) -> None:
    brought = Brought({"<b>.keras": "abc123"}, ("pixels become <i>",), (("Dense", "10"),), in_keras=True)
    page = render(dataclasses.replace(card(published, "boot"), story=Story(brought=brought)))
    assert "brought with <code>veleta import</code>; pixels become &lt;i&gt;" in page
    assert "<dt>&lt;b&gt;.keras</dt><dd>sha256 <code>abc123</code></dd>" in page
    assert "prune_keep" in page
    assert "Learning curves" not in page
    assert "In Keras" in page
    page = render(dataclasses.replace(card(published, "boot"), story=Story(brought=dataclasses.replace(brought, in_keras=False))))
    assert "In Keras" not in page
    assert "prune_keep" not in page
    assert "calibration_rows" in page


def test_curves_are_drawn_to_scale() -> None:
    picture = ET.fromstring(str(curves([2.0, 1.0, 0.0], [2.0, math.nan, 1.0], 2, "Loss & co")))
    lines = {line.get("class"): line.get("points", "").split() for line in picture.iter("polyline")}
    points = np.array([[float(number) for number in point.split(",")] for point in lines["training"]])
    assert np.allclose(np.diff(points[:, 0]), np.diff(points[:, 0])[0])
    assert np.allclose(np.diff(points[:, 1]), np.diff(points[:, 1])[0], atol=0.2)
    assert points[0, 1] < points[2, 1]  # a high loss is high in the picture
    assert len(lines["validation"]) == 2  # what is not a number is left out


def test_curve_of_one_epoch() -> None:
    assert "polyline" in curves([1.0], [1.0], 0, "Loss")


@pytest.mark.parametrize(("lowest", "highest"), [(0.0, 1.0), (0.91, 0.987), (0.5, 0.5), (0.0, 2e-5), (3.0, 812.0)])
def test_ticks_are_round_and_around(lowest: float, highest: float) -> None:
    ticks = nice_ticks(lowest, highest)
    assert ticks[0] <= lowest
    assert ticks[-1] >= highest
    assert 2 <= len(ticks) <= 8
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])
