"""An incident: everything that is known of an alarm, as data that outlives the process and the counts it was made of."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass

from models.errors import VeletaError
from models.parsing import MisfitError, parse
from monitoring.accuracy.estimation import Estimate
from monitoring.accuracy.wilson import Interval
from monitoring.incidents.verdict import Verdict
from monitoring.tasks.task import Measure

FORMAT = 1


class IncidentError(VeletaError):
    """There is no such incident, or its file is damaged."""


@dataclass(frozen=True)
class Signal:
    """One stream: `direction` says in words how it has moved; rows in each of its `bins`, in the reference, `before` and `since`.

    `raised` says whether it shows the change, `log_evidence` how surely by itself (natural log, None for no evidence at all),
    `overdispersion` how many rows said as much as one independent row.
    """

    name: str
    raised: bool
    log_evidence: float | None
    overdispersion: float
    direction: str
    bins: tuple[str, ...]
    reference: tuple[int, ...]
    before: tuple[int, ...]
    since: tuple[int, ...]


@dataclass(frozen=True)
class Accuracy:
    """How right the answers were `before`, by labels if there were any, else of the held-back rows; since then `estimated` without,
    `labelled` by labels. The `measure` says what these are: shares of right answers, or mean absolute errors.
    """

    before: Interval | None
    before_by_labels: bool
    estimated: Estimate | None
    labelled: Interval | None
    labels: int
    measure: Measure = "accuracy"


@dataclass(frozen=True)
class Exhibit:
    """A captured input that speaks for the change. `label` is what was answered, a class or a value; beside a value there is no confidence.

    `speaks_for` is Σ ln(share since / share in the reference) of its bins over the signals that show the change, in nats; `signals` are
    those that say most. An image is a PNG as a data URL, anything else is its first values.
    """

    at: float
    label: str
    confidence: float | None
    speaks_for: float
    signals: tuple[str, ...]
    image: str | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class Incident:
    """Times in seconds since 1970; `predictions` and `labels` since the change began, `noticed_after` of the predictions it was noticed."""

    format: int
    id: str
    model: str
    version: int
    variant: str
    raised_at: float
    since: float
    updated_at: float
    predictions: int
    noticed_after: int
    days_between_false_alarms: float
    reference_rows: int
    verdict: Verdict
    accuracy: Accuracy
    signals: tuple[Signal, ...]
    exhibits: tuple[Exhibit, ...]

    def to_json(self) -> str:
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, where: str) -> Incident:
        """Strictly. Raises IncidentError that names `where` it stands."""
        try:
            data = json.loads(text)
            if isinstance(data, dict) and data.get("format") != FORMAT:
                raise MisfitError(f"format is {data.get('format')!r}, this Veleta reads {FORMAT}")
            incident: Incident = parse(cls, data, "incident")
        except ValueError as error:
            raise IncidentError(f"{where} is no incident ({error}); remove the file") from error
        return incident

    @property
    def raised(self) -> tuple[Signal, ...]:
        """The signals that show the change, the strongest first."""
        return tuple(sorted((signal for signal in self.signals if signal.raised), key=lambda signal: -(signal.log_evidence or 0.0)))
