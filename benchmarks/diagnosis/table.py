"""Precision, recall and F1 of each kind, and the confusion matrix, as text and as data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.diagnosis.cases import HEALTHY
from benchmarks.diagnosis.judged import Judged
from monitoring.accuracy.wilson import wilson


def summary(judged: Sequence[Judged]) -> dict[str, Any]:
    """Scores of every kind put in, their mean, and how many healthy runs are called ill."""
    kinds = list(dict.fromkeys(one.case.kind for one in judged if one.case.kind != HEALTHY))
    healthy = [one for one in judged if one.case.kind == HEALTHY]
    false = sum(one.named != HEALTHY for one in healthy)
    found = [one for one in judged if one.case.kind != HEALTHY]
    scores = {kind: _score(kind, judged) for kind in kinds}
    return {
        "kinds": scores,
        "macro_f1": float(np.mean([score["f1"] for score in scores.values()])) if scores else None,
        "precision": _share(sum(one.named == one.case.kind for one in found), sum(one.named != HEALTHY for one in judged)),
        "recall": _share(sum(one.named == one.case.kind for one in found), len(found)),
        "called_ill_of_faulty": _share(sum(one.named != HEALTHY for one in found), len(found)),
        "healthy": len(healthy),
        "healthy_called_ill": false,
        "healthy_called_ill_interval": (wilson(false, len(healthy)).lower, wilson(false, len(healthy)).upper) if healthy else None,
    }


def _score(kind: str, judged: Sequence[Judged]) -> dict[str, Any]:
    there = [one for one in judged if one.case.kind == kind]
    hits, named = sum(one.named == kind for one in there), sum(one.named == kind for one in judged)
    precision, recall = _share(hits, named), _share(hits, len(there))
    steps = [one.steps for one in there if one.steps is not None]
    return {
        "there": len(there),
        "named": named,
        "precision": precision,
        "recall": recall,
        "f1": 2 * hits / (named + len(there)),
        "steps": float(np.median(steps)) if steps else None,
        "taken_for": dict(Counter(one.named for one in there if one.named != kind).most_common()),
    }


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def to_text(found: dict[str, Any], who: str) -> str:
    lower, upper = found["healthy_called_ill_interval"] or (0, 1)
    ill, healthy = found["healthy_called_ill"], found["healthy"]
    lines = [
        f"{who}: macro F1 {found['macro_f1']:.3f}; of faulty runs {found['called_ill_of_faulty']:.1%} called ill, {found['recall']:.1%} "
        f"with the right cause; {ill} of {healthy} healthy runs called ill ({lower:.1%} to {upper:.1%})",
        f"  {'kind':<30}{'runs':>5}{'precision':>11}{'recall':>8}{'F1':>7}{'updates':>9}  taken for",
    ]
    for kind, score in found["kinds"].items():
        steps = "–" if score["steps"] is None else f"{score['steps']:.0f}"
        other = ", ".join(f"{name} {count}" for name, count in score["taken_for"].items())
        shares = f"{_percent(score['precision']):>11}{_percent(score['recall']):>8}{score['f1']:>7.2f}"
        lines.append(f"  {kind:<30}{score['there']:>5}{shares}{steps:>9}  {other}".rstrip())
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def matrix(judged: Sequence[Judged]) -> str:
    """Rows: what was put in; columns, by number: what was named."""
    kinds = list(dict.fromkeys([*(one.case.kind for one in judged), *(one.named for one in judged)]))
    cells = Counter((one.case.kind, one.named) for one in judged)
    rows = [kind for kind in kinds if any(one.case.kind == kind for one in judged)]
    head = " " * 36 + "".join(f"{number + 1:>4}" for number in range(len(kinds)))
    lines = [f"{kinds.index(row) + 1:>3} {row:<32}" + "".join(f"{cells[row, column] or '.':>4}" for column in kinds) for row in rows]
    only = [f"{kinds.index(kind) + 1:>3} {kind} (never put in)" for kind in kinds if kind not in rows]
    return "\n".join([head, *lines, *only])
