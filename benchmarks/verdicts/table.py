"""What came of the runs: a line for each change, precision and recall of each cause."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, get_args

import numpy as np

from benchmarks.verdicts.changes import Change
from benchmarks.verdicts.run import Outcome
from monitoring.incidents.verdict import Cause

CAUSES: tuple[Cause, ...] = get_args(Cause)


@dataclass
class Line:
    """All runs of one change in one share of the traffic."""

    change: Change
    share: float
    outcomes: list[Outcome] = field(default_factory=list)

    def causes(self, look: int) -> Counter[str]:
        return Counter(outcome.incidents[look].verdict.cause for outcome in self.outcomes if len(outcome.incidents) > look)

    def to_text(self) -> str:
        noticed = [outcome.incidents[0].noticed_after for outcome in self.outcomes if outcome.incidents]
        rows = f"{np.median(noticed):,.0f}" if noticed else "–"
        looks = "".join(f"{_said(self.causes(look)):<44}" for look in (0, 1))
        return f"{self.change.name:<29}{self.share:>6.0%}  {self.change.cause:<16}{rows:>9}  {looks}".rstrip()


def _said(causes: Counter[str]) -> str:
    return ", ".join(f"{cause} {number}" for cause, number in causes.most_common()) or "not noticed"


def summary(lines: Sequence[Line], look: int) -> dict[str, Any]:
    """Precision and recall of each cause, and how often each word of confidence was right."""
    judged = [(line.change.cause, one.incidents[look].verdict) for line in lines for one in line.outcomes if len(one.incidents) > look]
    words: dict[str, list[bool]] = defaultdict(list)
    for cause, verdict in judged:
        words[verdict.confidence].append(cause == verdict.cause)
    return {
        "causes": {cause: _scores(cause, [(true, verdict.cause) for true, verdict in judged]) for cause in CAUSES},
        "confidence": {word: {"right": float(np.mean(right)), "verdicts": len(right)} for word, right in sorted(words.items())},
        "right": float(np.mean([cause == verdict.cause for cause, verdict in judged])) if judged else None,
        "verdicts": len(judged),
    }


def _scores(cause: str, judged: Sequence[tuple[str, str]]) -> dict[str, float | int | None]:
    hits = sum(true == said == cause for true, said in judged)
    named, there = (sum(pair[place] == cause for pair in judged) for place in (1, 0))
    return {"precision": hits / named if named else None, "recall": hits / there if there else None, "named": named, "there": there}


def to_text(found: dict[str, Any], title: str) -> str:
    lines = [f"{title}: {found['right']:.1%} of {found['verdicts']} verdicts right", f"  {'cause':<18}{'precision':>10}{'recall':>10}"]
    lines += [f"  {cause:<18}{_share(score['precision']):>10}{_share(score['recall']):>10}" for cause, score in found["causes"].items()]
    lines += [f"  called {word}: right in {score['right']:.1%} of {score['verdicts']}" for word, score in found["confidence"].items()]
    return "\n".join(lines)


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
