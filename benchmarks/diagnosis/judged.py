"""What was said of each training, held against what was put wrong.

Criteria that know nothing of the diagnosis say which runs count. A healthy run has to come within five points of the median of
its kind of network on its data: a draw that trains badly is not healthy, whatever was meant. A fault that is only a fault where it
costs something has to cost two points of its twin without it (as a mutant has to be killed: DeepCrime, ISSTA 2021). The same two points
say whether a healthy draw was trained long enough: one that gains them when trained three times as long had too few epochs, which is
a fault, and that longer training stands for it as the healthy one.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.diagnosis.baselines import AUTOTRAINER, SAGEMAKER, Symptoms, symptoms
from benchmarks.diagnosis.cases import HEALTHY, Case
from benchmarks.diagnosis.run import Outcome
from training.diagnosis.diagnose import diagnose
from training.diagnosis.facts import Curves, Facts, Trace

HEALTHY_WITHIN, HARMS_BY = 0.05, 0.02
#: How much longer a healthy draw is trained to see whether it was trained long enough.
LONGER = 3


@dataclass(frozen=True)
class Judged:
    """A training that counts: what was put wrong, and what was named (HEALTHY for nothing). `steps` until the right kind is named."""

    case: Case
    named: str
    steps: int | None


def counted(made: dict[Case, Outcome]) -> tuple[list[Case], list[Case], list[Case]]:
    """The cases that count, the healthy draws that trained badly, the faults that did no harm."""
    medians: dict[tuple[str, str], list[float]] = defaultdict(list)
    for case, outcome in made.items():
        if case.kind == HEALTHY:
            medians[case.architecture, case.data].append(outcome.test)
    typical = {key: float(np.median(values)) for key, values in medians.items()}
    unwell = [
        case for case, one in made.items() if case.kind == HEALTHY and one.test < typical[case.architecture, case.data] - HEALTHY_WITHIN
    ]
    harmless = [
        case
        for case, one in made.items()
        if case.fault is not None and case.fault.harms and case.twin in made and made[case.twin].test - one.test < HARMS_BY
    ]
    left_out = {*unwell, *harmless}
    return [case for case in made if case not in left_out], unwell, harmless


def settled(made: dict[Case, Outcome], counting: Sequence[Case], longer: Callable[[Case], Outcome]) -> dict[Case, Outcome]:
    """The trainings, healthy draws that had too few epochs in their `longer` form."""
    grown = {case: longer(case) for case in counting if case.kind == HEALTHY}
    return made | {case: one for case, one in grown.items() if one.test - made[case].test >= HARMS_BY}


def ours(case: Case, outcome: Outcome) -> Judged:
    """What the diagnosis names first."""
    return Judged(case, first_named(outcome.facts), _steps(case, outcome))


def first_named(facts: Facts) -> str:
    return next((finding.kind for finding in diagnose(facts) if finding.ill), HEALTHY)


def theirs(rules: Symptoms) -> Callable[[Case, Outcome], Judged]:
    """What rules of others name: the fault itself if a symptom may come from it, otherwise the first symptom."""

    def judge(case: Case, outcome: Outcome) -> Judged:
        fired = symptoms(outcome.facts, rules)
        right = any(case.kind in rules[name][1] for name in fired)
        return Judged(case, case.kind if right else f"({fired[0]})" if fired else HEALTHY, None)

    return judge


JUDGES: dict[str, Callable[[Case, Outcome], Judged]] = {
    "Veleta": ours,
    "SageMaker Debugger's rules": theirs(SAGEMAKER),
    "AutoTrainer's rules": theirs(AUTOTRAINER),
}


def alarmed(outcome: Outcome) -> bool:
    """Whether an error was said while it learnt, which is not taken back where the end knows better."""
    return any(finding.severity == "error" for _, known in _meanwhile(outcome) for finding in diagnose(known))


def _steps(case: Case, outcome: Outcome) -> int | None:
    """Updates until the fault is named: 0 before the first, otherwise when an epoch or the training has ended."""
    if case.kind == HEALTHY or first_named(outcome.facts) != case.kind:
        return None
    known = list(_meanwhile(outcome))
    return next((updates for updates, facts in known if first_named(facts) == case.kind), known[-1][0])


def _meanwhile(outcome: Outcome) -> Iterator[tuple[int, Facts]]:
    """The updates so far and what was known then: before the first one, and after each epoch."""
    curves = outcome.facts.curves
    batches = -(-outcome.facts.data.train_rows // outcome.facts.settings.batch_size)
    for epoch in range((len(curves.loss) if curves is not None else 0) + 1):
        yield epoch * batches, until(outcome.facts, epoch, batches)


def until(facts: Facts, epoch: int, batches: int) -> Facts:
    """What was known when so many epochs had passed."""
    trace, seen, curves = facts.trace, facts.activations, facts.curves
    return dataclasses.replace(
        facts,
        trace=None if trace is None or not epoch else _rows(trace, int(np.searchsorted(trace.steps, epoch * batches))),
        activations=None if seen is None else dataclasses.replace(seen, values=seen.values[: epoch + 1], rank=seen.rank[: epoch + 1]),
        curves=None if curves is None else Curves(**{f.name: getattr(curves, f.name)[:epoch] for f in dataclasses.fields(Curves)}),
        end=None,
    )


def _rows(trace: Trace, count: int) -> Trace:
    kept = {name: getattr(trace, name)[:count] for name in ("steps", "losses", "rates", "values")}
    return dataclasses.replace(trace, **kept)


def judge_all(made: dict[Case, Outcome], chosen: Sequence[Case], judge: Callable[[Case, Outcome], Judged]) -> list[Judged]:
    return [judge(case, made[case]) for case in chosen]
