"""Which trials a verdict gives up: what is lost, and nothing else."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.training.diagnosis_facts import EPOCHS, activated, after, but, layer
from training.diagnosis.facts import Facts
from training.search.stopping import exploding, learning_nothing

pytestmark = pytest.mark.training


def ended(loss: list[float], held: list[float], penalty: float = 0.0) -> str | None:
    """What is said of losses on the training rows and the validation rows; before the first update it was 2.35, and a penalty."""
    facts = but(after(len(loss)), curves__loss=np.array(loss), curves__validation_loss=np.array(held), start__penalty=penalty)
    return exploding(facts)


def stuck(epochs: int, loss: float = 2.3, **changes: Any) -> Facts:
    """Ten classes, told no better than by chance, after so many of twelve epochs."""
    curves: dict[str, Any] = {name: np.full(epochs, loss) for name in ("loss", "fixed_loss", "validation_loss")}
    curves |= {name: np.full(epochs, 0.1) for name in ("score", "fixed_score", "validation_score")}
    return but(after(epochs), **({f"curves__{name}": values for name, values in curves.items()} | changes))


def test_what_explodes() -> None:
    assert ended([2.3, 2.9], [2.3, 2.9]) is None
    assert ended([2.3, math.nan], [2.3, math.nan]) == "exploding: the loss is not a number any more"
    assert ended([2.3, 24.0], [2.3, 23.6]) == "exploding: the loss is 23.6, and was 2.35 before the first update"
    assert ended([2.3, 24.0], [2.3, 2.5]) is None  # a bad moment, from which it came back
    assert ended([60.0], [50.0]) is not None
    assert ended([60.0], [50.0], penalty=60.0) is None  # a penalty on the weights is no error


def test_a_plateau_is_given_up_in_time() -> None:
    assert [learning_nothing(stuck(epochs)) is not None for epochs in range(EPOCHS)] == [False] * 3 + [True] * 9
    assert (learning_nothing(stuck(3)) or "").startswith("plateau: after 3 epochs")


def test_a_known_cause_is_given_up_sooner() -> None:
    facts = activated(stuck(2), "dead_units", 0.9)
    assert (learning_nothing(facts) or "").startswith("dead-units: nothing is learnt. 90%")
    assert learning_nothing(activated(after(2), "dead_units", 0.9)) is None  # half a network that learns


@pytest.mark.parametrize(
    "facts",
    [
        after(6),
        stuck(6, curves__validation_score=np.array([0.1, 0.3, 0.1, 0.1, 0.1, 0.1])),
        stuck(6, curves__fixed_score=np.full(6, 0.25)),
        stuck(6, curves__fixed_loss=np.array([2.3, 2.3, 2.3, 2.3, 2.3, 2.1])),
        stuck(6, curves__rate=np.array([1e-4, 2e-4, 3e-4, 4e-4, 5e-4, 1e-3])),
        stuck(5, settings__schedule="cosine"),
        stuck(6, layers=(layer("dense", pretrained=True, trainable=False),)),
    ],
    ids=["healthy", "others are told", "learnt", "falling", "warm-up", "schedule", "transfer"],
)
def test_what_may_come_to_something_goes_on(facts: Facts) -> None:
    assert learning_nothing(facts) is None
