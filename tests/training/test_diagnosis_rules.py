"""Every kind is named where its facts are there, healthy facts name none, and causes come before what follows from them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.training.diagnosis_facts import EPOCHS, activated, but, healthy, layer, traced
from tests.training.problems import IMAGE, ready, with_layers
from training.diagnosis.diagnose import diagnose
from training.diagnosis.facts import Curves, Facts
from training.diagnosis.kinds import KINDS
from training.diagnosis.measure.network import layer_facts
from training.diagnosis.measure.passes import effective_rank
from training.diagnosis.measure.reference import reference
from training.diagnosis.remedies import ALL_REMEDIES, REMEDIES
from training.diagnosis.rules.network import missing_nonlinearity
from training.networks.network import build
from training.recipe import read_recipe

pytestmark = pytest.mark.training


def badly_told(facts: Facts, score: float = 0.3) -> Facts:
    """Training and validation rows are told worse than need be."""
    low = np.full(EPOCHS, score)
    return but(
        facts, end__train_score=score, end__validation_score=score, curves__score=low, curves__fixed_score=low, curves__validation_score=low
    )


def with_layer(**values: Any) -> Callable[[Facts], Facts]:
    return lambda facts: but(facts, layers=(layer("dense", **values), *facts.layers[1:]))


def with_values(**values: Any) -> Callable[[Facts], Facts]:
    return lambda facts: but(facts, **values)


def regression(facts: Facts) -> Facts:
    return but(
        facts,
        data__task="regression",
        data__target=(150.0, 70.0, 25.0, 350.0),
        settings__loss="mean_squared_error",
        start__reach=(150.0, 1e9),
    )


def still_falling(facts: Facts) -> Facts:
    falling = 2.3 * 0.9 ** np.arange(1, EPOCHS + 1)
    return badly_told(but(facts, curves__fixed_loss=falling))


SIGNS: dict[str, Callable[[Facts], Facts]] = {
    "input-not-finite": with_values(data__inputs__finite=False),
    "unscaled-input": with_values(data__inputs__spread=80.0, data__inputs__highest=255.0),
    "scaled-twice": with_values(data__inputs__spread=0.001, data__inputs__center=0.001, data__inputs__highest=1 / 255),
    "constant-features": with_values(data__inputs__constant=0.8),
    "shuffled-labels": lambda facts: badly_told(
        but(facts, data__reference=dataclasses.replace(facts.data.reference, neighbors=0.1, linear=0.1, agreement=0.1)), 0.1
    ),
    "noisy-labels": with_values(data__reference__scattered=0.3, end__confusion=np.full((10, 10), 2) + np.eye(10, dtype=np.int64) * 12),
    "unbalanced-classes": with_values(data__train_counts=np.array([80] * 9 + [3])),
    "leaked-validation": with_values(data__shared=0.4),
    "validation-too-small": with_values(data__validation_rows=15),
    "output-cannot-reach-targets": regression,
    "wrong-output-activation": with_values(settings__output_activation="relu"),
    "wrong-loss": with_values(settings__loss="mean_squared_error"),
    "symmetric-weights": with_layer(twins=1.0, deviation=0.0),
    "recurrent-weights-too-large": with_layer(kind="LSTM", activation="tanh", recurrent_gain=16.0),
    "weights-too-large": with_layer(deviation=2.0),
    "weights-too-small": with_layer(deviation=1e-5),
    "frozen-layer": with_layer(trainable=False),
    "missing-nonlinearity": with_layer(activation="linear"),
    "momentum-too-high": with_values(settings__momentum=0.999),
    "batch-too-small": with_values(settings__batch_size=1),
    "dropout-too-high": lambda facts: but(
        facts, layers=(*facts.layers[:1], layer("dropout", kind="Dropout", deviation=None, dropout=0.95), *facts.layers[1:])
    ),
    "penalty-too-strong": lambda facts: badly_told(with_layer(l2=0.3)(but(facts, start__penalty=40.0))),
    "augmentation-too-strong": lambda facts: badly_told(but(facts, settings__augmentation=(0.5, 180.0, 0.5))),
    "epsilon-too-large": lambda facts: traced(but(facts, settings__epsilon=1.0), "update", 1e-5),
    "schedule-ended-early": with_values(
        settings__schedule="step", curves__rate=np.array([1e-3] + [1e-6] * (EPOCHS - 1)), end__train_score=0.8
    ),
    "learning-rate-too-high": lambda facts: traced(badly_told(facts), "update", 30.0),
    "learning-rate-too-low": lambda facts: traced(badly_told(facts), "update", 1e-5),
    "exploding-gradient": lambda facts: traced(facts, "mean_gradient", np.inf),
    "dead-units": lambda facts: activated(badly_told(facts), "dead_units", 0.9),
    "vanishing-gradient": lambda facts: traced(badly_told(facts, 0.1), "gradient", 1e-6, tensor=0),
    "saturated-units": lambda facts: activated(badly_told(facts), "saturated", 0.9, "tanh"),
    "network-too-small": lambda facts: badly_told(with_layer(units=2)(facts)),
    "batch-too-large": lambda facts: badly_told(but(facts, settings__batch_size=800, settings__updates=12)),
    "too-few-epochs": still_falling,
    "overfitting": with_values(
        curves__fixed_score=np.ones(EPOCHS),
        curves__validation_score=np.full(EPOCHS, 0.7),
        curves__validation_loss=np.linspace(0.6, 1.8, EPOCHS),
    ),
    "underfitting": lambda facts: badly_told(but(facts, curves__fixed_loss=np.full(EPOCHS, 1.5), curves__loss=np.full(EPOCHS, 1.5))),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_named_by_its_signs(kind: str) -> None:
    findings = diagnose(SIGNS[kind](healthy()))
    assert findings[0].kind == kind, findings
    verdict = findings[0].verdict()
    assert verdict.severity in ("warning", "error")
    assert verdict.evidence
    assert verdict.remedy.endswith(".")
    assert findings[0].confidence is None or 0 < findings[0].confidence < 1


def test_nothing_is_wrong_with_healthy_facts() -> None:
    assert diagnose(healthy()) == ()


def test_before_the_first_update_only_what_is_known_is_judged() -> None:
    fresh = dataclasses.replace(healthy(), trace=None, activations=None, curves=None, end=None)
    assert diagnose(fresh) == ()
    assert [finding.kind for finding in diagnose(but(fresh, data__inputs__spread=80.0))] == ["unscaled-input"]


def test_causes_come_before_what_follows_from_them() -> None:
    """Columns in other units make gradients explode; weights that are all alike make a plateau."""
    both = traced(SIGNS["unscaled-input"](healthy()), "mean_gradient", np.nan)
    assert [finding.kind for finding in diagnose(both)] == ["unscaled-input", "exploding-gradient"]
    stuck = badly_told(SIGNS["symmetric-weights"](healthy()), 0.1)
    assert diagnose(stuck)[0].kind == "symmetric-weights"


def test_what_is_unusual_but_does_no_harm_is_not_called_ill() -> None:
    """A bottleneck, a large epsilon with steps that suit it, dropout of 0.6, an output that starts at zero, a cosine."""
    facts = but(healthy(), settings__epsilon=0.1, settings__schedule="cosine", curves__rate=1e-3 * np.cos(np.linspace(0, 1.5, EPOCHS)))
    layers = (
        layer("dense", units=2, dropout=0.65),
        layer("dense_1"),
        layer("probabilities", activation="softmax", twins=1.0, deviation=0.0),
    )
    assert diagnose(but(facts, layers=layers)) == ()


def test_layers_beside_each_other_are_not_in_a_row() -> None:
    """A shortcut is listed behind the layer that it goes around."""
    assert missing_nonlinearity(but(healthy(), layers=layer_facts(build(ready("cnn"), IMAGE)))) is None
    block = {"kind": "Residual", "layers": [{"kind": "Dense", "units": 8}, {"kind": "Dropout", "rate": 0.1}, {"kind": "Dense", "units": 8}]}
    recipe = with_layers({"kind": "Flatten"}, {"kind": "Dense", "units": 8, "activation": "relu"}, block)
    finding = missing_nonlinearity(but(healthy(), layers=layer_facts(build(recipe, IMAGE))))
    assert finding is not None
    assert "Nothing bends what goes from dense" in finding.evidence


def test_a_narrow_layer_is_too_small_and_not_started_too_small() -> None:
    """The spread of two weights says nothing of how they were drawn."""
    facts = with_layer(units=1, inputs=2, deviation=0.005, ideal=0.8)(badly_told(healthy()))
    named = [finding.kind for finding in diagnose(facts)]

    assert named[0] == "network-too-small"
    assert "weights-too-small" not in named


def test_one_epoch_is_too_few_as_soon_as_the_loss_falls_at_all() -> None:
    facts = badly_told(healthy())
    curves = {field.name: getattr(facts.curves, field.name)[:1] for field in dataclasses.fields(type(facts.curves))}
    facts = but(facts, settings__epochs=1, curves=Curves(**(curves | {"loss": np.array([2.25]), "fixed_loss": np.array([2.26])})))

    assert [finding.kind for finding in diagnose(facts)] == ["too-few-epochs"]


def test_every_kind_has_remedies_that_keep_a_recipe_whole() -> None:
    assert set(REMEDIES) == set(KINDS)
    recipe = read_recipe().recipe
    for remedy in ALL_REMEDIES:
        changed = remedy.recipe(recipe)
        assert type(changed) is type(recipe)
        assert all(isinstance(made["kind"], str) for made in changed.layers)
    assert recipe == read_recipe().recipe


def test_more_epochs_are_in_vain_after_a_training_that_ended_by_itself() -> None:
    ended, bounded = but(healthy(), settings__epochs=EPOCHS + 1), but(healthy(), settings__epochs=EPOCHS)
    longer = {remedy.change for remedy in ALL_REMEDIES if remedy.vain(ended)}

    assert longer == {"eight times the epochs", "three times the epochs, at least ten"}
    assert not any(remedy.vain(bounded) for remedy in ALL_REMEDIES)
    assert not any(remedy.vain(but(ended, settings__schedule="cosine")) for remedy in ALL_REMEDIES), "its rates follow the bound"


def test_a_reference_without_a_network_tells_labels_that_belong_from_those_that_do_not() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 400)
    x = rng.normal(size=(400, 6)) + 3 * np.eye(4, 6)[y]
    told = reference(x[:300], y[:300], x[300:], y[300:], 4)
    assert min(told.neighbors or 0, told.linear or 0, told.agreement or 0) > 0.9
    mixed = rng.permutation(y)
    chance = reference(x[:300], mixed[:300], x[300:], mixed[300:], 4)
    assert abs((chance.agreement or 0) - chance.agreement_by_chance) < 0.1
    noisy = np.where(rng.random(400) < 0.4, (y + rng.integers(1, 4, 400)) % 4, y)
    assert (reference(x[:300], noisy[:300], x[300:], noisy[300:], 4).scattered or 0) > 0.25
    assert (told.scattered or 0) < 0.05


def test_reference_of_values_is_that_of_scikit_learn() -> None:
    from sklearn.linear_model import Ridge
    from sklearn.neighbors import KNeighborsRegressor

    rng = np.random.default_rng(1)
    x = rng.normal(size=(260, 5))
    y = x @ rng.normal(size=5) + rng.normal(size=260)
    told = reference(x[:200], y[:200], x[200:], y[200:], 0)
    assert told.linear == pytest.approx(Ridge(alpha=20).fit(x[:200], y[:200]).score(x[200:], y[200:]), abs=1e-6)
    assert told.neighbors == pytest.approx(KNeighborsRegressor(10).fit(x[:200], y[:200]).score(x[200:], y[200:]), abs=1e-6)


def test_effective_rank_is_that_of_the_singular_values() -> None:
    rows = np.random.default_rng(2).normal(size=(50, 8)) * np.array([5, 4, 3, 2, 1, 0, 0, 0])
    values = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)
    shares = values[values > 1e-9] / values.sum()
    assert effective_rank(rows) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-4)


def test_one_rise_of_the_validation_loss_is_no_error_while_a_network_learns_and_one_at_the_end_is() -> None:
    risen = traced(but(healthy(), curves__validation_loss=np.array([0.5] * (EPOCHS - 1) + [0.9])), "update", 3.0)
    told, so_far = ({finding.kind for finding in diagnose(facts)} for facts in (risen, dataclasses.replace(risen, end=None)))
    assert "learning-rate-too-high" in told - so_far
