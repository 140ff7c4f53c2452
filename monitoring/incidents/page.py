"""An incident as a page: one file without script and network, that can be sent to somebody. Whatever comes from outside is escaped."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jinja2

from monitoring.incidents.incident import Incident, Signal
from monitoring.incidents.wording import duration, in_measure, moment, percent

_TEMPLATES = Path(__file__).with_name("templates")
#: Size of a chart in its own units.
_WIDTH, _HEIGHT = 320.0, 96.0


@dataclass(frozen=True)
class Bar:
    """One bin of a chart: where it stands, and how high the shares of its rows are before and since the change, in units of the chart."""

    name: str
    left: float
    width: float
    before: float
    since: float
    words: str


@cache
def policy() -> str:
    """The content security policy under which the page is whole: its one style, its pictures, nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"


def render(incident: Incident) -> str:
    """The page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "duration": duration, "moment": moment, "readable": _readable, "in_measure": _in_measure}
    return environment.get_template("incident.html").render(
        incident=incident,
        style=_style(),
        bars=bars,
        others=[signal for signal in incident.signals if not signal.raised],
        width=_WIDTH,
        height=_HEIGHT,
    )


def bars(signal: Signal) -> list[Bar]:
    """The shares of the reference and of the rows since the change, the highest of all as high as the chart."""
    before, since = (_shares(counts) for counts in (signal.reference, signal.since))
    most, step = max(*before, *since, 1e-9), _WIDTH / len(signal.bins)
    return [
        Bar(
            name,
            place * step,
            step * 0.42,
            old / most * _HEIGHT,
            new / most * _HEIGHT,
            f"{name}: {percent(old)} before, {percent(new)} since",
        )
        for place, (name, old, new) in enumerate(zip(signal.bins, before, since, strict=True))
    ]


def _shares(counts: tuple[int, ...]) -> list[float]:
    return [count / max(1, sum(counts)) for count in counts]


def _readable(name: str) -> str:
    return name.removeprefix("column:").replace("_", " ")


def _in_measure(value: float, measure: str) -> str:
    return in_measure(measure, value)


@cache
def _style() -> str:
    return (_TEMPLATES / "incident.css").read_text(encoding="utf-8").strip()
