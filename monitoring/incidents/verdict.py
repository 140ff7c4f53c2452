"""The verdict: the likeliest cause of a change, asked for in this order.

broken client     the data fail checks that they passed before, or look as if they were sent in a known wrong form
label shift       every signal is what it would be if only the classes came in other shares
input shift       signals of the inputs have moved beyond that
concept change    labels contradict the answers, and nothing has moved
unknown           the answers have moved, and nothing says why

What is measured of it: `python -m benchmarks.verdicts`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitoring.accuracy.wilson import Interval
from monitoring.incidents.case import Case
from monitoring.incidents.hypotheses import hypotheses
from monitoring.incidents.wording import percent

Cause = Literal["broken client", "label shift", "input shift", "concept change", "unknown"]
Confidence = Literal["likely", "possible"]

#: Signals of the answer alone. All others are of the input, energy and distance as the network sees it.
_ANSWER = frozenset({"class", "confidence", "entropy", "value"})
#: Up to so much of a change may be left unexplained.
_LEFT = 0.15
#: By how much the share of rows that fail a check must be up for the client to be at fault, and likely so.
_FAILING, _MANY_FAILING = 0.02, 0.3

_FAILED = {
    "type": "requests whose values are of another type",
    "shape": "requests of another shape",
    "not_finite": "requests with values that are no numbers",
    "range": "inputs with values outside the model's range",
    "constant": "inputs in which all values are the same",
    "duplicate": "inputs that came shortly before already",
}
_REMEDIES: dict[Cause, str] = {
    "broken client": "Compare what is sent with what the model takes: type, shape, range, order of axes. Find what changed in the client at"
    " that time. The model needs no retraining.",
    "label shift": "Check whether the new mix is real. If it is to stay, label some of the latest predictions, and `veleta refresh` learns"
    " from them; the accuracy expected now says how urgent that is.",
    "input shift": "Compare inputs from before and after, and what produces them: device, light, format, a new source. Label some of the"
    " new ones to know the accuracy; if they are to stay, `veleta refresh` learns from what was labelled.",
    "concept change": "Check the source of the labels first, since a wrong one looks the same. If they are right, the same inputs mean"
    " something else now: `veleta refresh --since` learns from what was labelled after the change.",
    "unknown": "Label some of the latest predictions: only labels can tell whether these answers are right.",
}


@dataclass(frozen=True)
class Verdict:
    """The cause, whether it is likely or only possible, what speaks for it in one sentence, and what to do."""

    cause: Cause
    confidence: Confidence
    evidence: str
    remedy: str


def verdict(case: Case) -> Verdict:
    """The likeliest cause."""
    cause, confidence, evidence = _failing(case) or _explained(case) or _inputs(case) or _contradicted(case) or _answers(case)
    return Verdict(cause, confidence, f"{evidence[0].upper()}{evidence[1:]}.", _REMEDIES[cause])


_Found = tuple[Cause, Confidence, str]


def _failing(case: Case) -> _Found | None:
    name = max(case.checks, key=lambda name: case.checks[name].more, default=None)
    if name is None or case.checks[name].more < (_MANY_FAILING if name == "duplicate" else _FAILING):
        return None
    check = case.checks[name]
    evidence = f"{_FAILED[name]} are {percent(check.now)} of all since then, {percent(check.before)} before"
    return "broken client", "likely" if check.more >= _MANY_FAILING else "possible", evidence


def _explained(case: Case) -> _Found | None:
    best = next(iter(hypotheses(case)), None)
    # Of several faults the one that fits best fits too well, so for these there must be less doubt.
    if best is None or best.left + (best.doubt if best.kind == "fault" else 0.0) > _LEFT:
        return None
    return (
        "label shift" if best.kind == "mix" else "broken client",
        "likely" if best.left + 2 * best.doubt <= _LEFT else "possible",
        best.words,
    )


def _inputs(case: Case) -> _Found | None:
    moved = sorted(case.moved - _ANSWER, key=lambda name: -case.change.excess.get(name, 0.0))
    if not moved:
        return None
    more = f" and {len(moved) - 3} more" if len(moved) > 3 else ""
    unlike = ", which no other mix of the classes explains" if case.classes else ""
    evidence = f"{', '.join(moved[:3])}{more} moved{unlike}"
    return "input shift", "likely" if len(moved) > 1 else "possible", evidence


def _contradicted(case: Case) -> _Found | None:
    if case.labelled is None:
        return None
    surely, words = _by_labels(case, case.labelled) if case.classes else _errors_by_labels(case, case.labelled)
    if not surely and "error" not in case.alarmed:
        return None
    evidence = f"{words}, and neither inputs nor answers have moved"
    return "concept change", "likely" if surely and not case.moved else "possible", evidence


def _by_labels(case: Case, labelled: Interval) -> tuple[bool, str]:
    """Whether fewer answers are right than they say themselves, and the words for it."""
    surely = case.estimated is not None and labelled.upper < case.estimated.lower
    expected = f", where the answers by themselves would give {percent(case.estimated.value)}" if case.estimated else ""
    return surely, f"labels call {percent(labelled.value)} of the answers right{expected}"


def _errors_by_labels(case: Case, labelled: Interval) -> tuple[bool, str]:
    """Whether values are farther off than before: what they say themselves is the same everywhere. And the words for it."""
    surely = case.before is not None and labelled.lower > case.before.upper
    before = f", {case.before.value:.3g} before" if case.before else ""
    return surely, f"by labels the mean absolute error is {labelled.value:.3g} now{before}"


def _answers(case: Case) -> _Found:
    moved = sorted(case.moved)
    what = f"only {', '.join(moved)} moved" if moved else "no signal by itself has moved beyond chance"
    return "unknown", "possible", f"{what}, and nothing that is watched says why"
