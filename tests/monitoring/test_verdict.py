"""Verdicts on changes whose cause is known, over the whole path from counts to the incident, with a small real model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from benchmarks.verdicts.changes import changes
from benchmarks.verdicts.run import run
from benchmarks.verdicts.world import Model, World, profiled
from models.store import Store
from monitoring.accuracy.estimation import Estimate
from monitoring.accuracy.wilson import Interval
from monitoring.incidents.case import Case, Check
from monitoring.incidents.verdict import verdict
from monitoring.signals.mixture import proportions
from tests.small_models import Data

CHANGES = {change.name: change for change in changes()}


@pytest.fixture(scope="module")
def world(shelf: Path, digits8: Data) -> World:
    model = Model.of(Store(shelf).open("digits8", 1), "int8", digits8.test_x, digits8.test_y)
    return World.make(model, profiled(model), np.random.default_rng(0))


@pytest.mark.parametrize(
    "name",
    ["brightness", "noise", "rotation", "blur", "inversion", "divided by 255", "standardized", "transposed", "constant", "class_gone",
     "class_doubled", "label_shift", "two labels exchanged"],
)  # fmt: skip
def test_the_cause_is_found_at_the_alarm_and_later(world: World, name: str) -> None:
    change = CHANGES[name]
    outcome = run(world, change, 1.0, np.random.default_rng(1), labelled=change.relabel is not None)

    assert not outcome.false
    assert [incident.verdict.cause for incident in outcome.incidents] == [change.cause] * 2
    assert all(incident.verdict.evidence and incident.verdict.remedy for incident in outcome.incidents)
    assert outcome.incidents[1].predictions >= 8 * outcome.incidents[0].noticed_after


def test_a_fault_in_a_part_of_the_traffic_is_found_with_its_share(world: World) -> None:
    outcome = run(world, CHANGES["inversion"], 0.3, np.random.default_rng(2))

    found = outcome.incidents[1].verdict
    assert found.cause == "broken client"
    share = float(found.evidence.split(" %")[0])
    assert share == pytest.approx(30, abs=6)


def test_the_new_shares_of_the_classes_are_told(world: World) -> None:
    incident = run(world, CHANGES["class_gone"], 1.0, np.random.default_rng(3)).incidents[1]

    assert "0: " in incident.verdict.evidence
    assert "→ 0 %" in incident.verdict.evidence
    (classes,) = [signal for signal in incident.signals if signal.name == "class"]
    assert classes.direction.startswith("0: ")
    assert sum(classes.since) == incident.predictions


def test_expected_accuracy_falls_with_a_shift_that_costs_and_stays_with_one_that_does_not(world: World) -> None:
    rng = np.random.default_rng(4)
    costly = run(world, CHANGES["rotation"], 1.0, rng).incidents[1].accuracy
    free = run(world, CHANGES["class_doubled"], 1.0, rng).incidents[1].accuracy

    assert costly.before is not None
    assert costly.estimated is not None
    assert free.estimated is not None
    assert costly.estimated.value < costly.before.lower
    assert free.estimated.lower < costly.before.value < free.estimated.upper


def case(world: World, live: np.ndarray, **others: object) -> Case:
    reference = world.subject.reference
    normal = np.concatenate([profile.counts for profile in reference.profiles.values()]).astype(float)
    made = Case(reference, normal, live, {}, frozenset(), {}, tuple(world.subject.manifest.classes))
    return dataclasses.replace(made, **others)  # type: ignore[arg-type]


def test_without_explanations_of_an_old_reference_what_moved_is_still_told(world: World) -> None:
    reference = dataclasses.replace(world.subject.reference, explanations=None)
    normal = case(world, np.zeros(1)).normal
    live = normal.copy()
    start = sum(len(profile.counts) for name, profile in list(reference.profiles.items())[:5])  # the first signal of the input
    live[start : start + 10] = np.eye(10)[9] * 719

    found = verdict(case(world, live, reference=reference))
    assert (found.cause, found.confidence) == ("input shift", "possible")


def test_nothing_that_moved_is_unknown(world: World) -> None:
    normal = case(world, np.zeros(1)).normal
    assert verdict(case(world, normal)).cause == "unknown"


@pytest.mark.parametrize(
    ("check", "cause", "confidence"),
    [
        ({"shape": Check(0, 1000, 60, 100)}, "broken client", "likely"),
        ({"range": Check(5, 1000, 60, 1000)}, "broken client", "possible"),
        ({"range": Check(5, 1000, 9, 1000)}, "unknown", "possible"),
        ({"duplicate": Check(200, 1000, 300, 1000)}, "unknown", "possible"),  # some more of what there always was
        ({"duplicate": Check(200, 1000, 900, 1000)}, "broken client", "likely"),
        ({"constant": Check(0, 0, 0, 0)}, "unknown", "possible"),
    ],
)
def test_checks_that_fail_more_often(world: World, check: dict[str, Check], cause: str, confidence: str) -> None:
    normal = case(world, np.zeros(1)).normal
    found = verdict(case(world, normal, checks=check))
    assert (found.cause, found.confidence) == (cause, confidence)


def test_labels_that_agree_with_the_estimate_are_no_change_of_concept(world: World) -> None:
    normal, estimated = case(world, np.zeros(1)).normal, Estimate({}, 0.9, 0.85, 0.95)

    assert verdict(case(world, normal, estimated=estimated, labelled=Interval(0.88, 0.8, 0.93))).cause == "unknown"
    assert verdict(case(world, normal, estimated=estimated, labelled=Interval(0.6, 0.5, 0.7))).cause == "concept change"
    assert verdict(case(world, normal, labelled=Interval(0.6, 0.5, 0.7), alarmed=frozenset({"error"}))).cause == "concept change"


def test_mixture_proportions_are_those_of_the_greatest_likelihood() -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 4):
        populations = rng.dirichlet(np.ones(12), size=classes)
        counts = rng.multinomial(3000, rng.dirichlet(np.ones(classes)) @ populations).astype(float)

        def minus_log_likelihood(shares: np.ndarray, populations: np.ndarray = populations, counts: np.ndarray = counts) -> float:
            return -float(counts @ np.log(np.maximum(shares @ populations, 1e-12))) / 3000

        constraint = {"type": "eq", "fun": lambda shares: shares.sum() - 1}
        best = minimize(minus_log_likelihood, np.full(classes, 1 / classes), bounds=[(0, 1)] * classes, constraints=[constraint], tol=1e-12)
        assert proportions(populations, counts) == pytest.approx(best.x, abs=2e-3)
