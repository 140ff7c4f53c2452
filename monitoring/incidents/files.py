"""Incidents on disk: one file each in the state folder, and a mark beside it once somebody has seen it.

So they outlive every process, any command can read them, and the watch learns at its next tick what was seen. The files are derived
from the watch's memory and written anew if they are missing, so nothing is lost with a leader that dies in between.
"""

from __future__ import annotations

import dataclasses
import os
import re
from pathlib import Path

from monitoring.counts.capture import captured
from monitoring.drift.alarm import Alarm, Promise
from monitoring.incidents.exhibits import exhibits
from monitoring.incidents.incident import Incident, IncidentError
from monitoring.incidents.inquiry import Inquiry
from monitoring.subject import Subject
from monitoring.track import Track

#: How many are kept of a subject, the newest.
MOST = 200
#: What an incident is looked at again for: so many times as many predictions, or labels, as the last time.
_MORE = 2
_NAME = re.compile(r"(?P<subject>[a-z0-9][a-z0-9._-]*\.\d+\.[a-z0-9-]+)\.(?P<number>\d+)")


def incident_name(key: str, alarm: Alarm) -> str:
    """What an incident is known by: the subject and the time at which the alarm was raised.

    >>> incident_name("digits/3/int8", Alarm(1.5, 0.0, {}))
    'digits.3.int8.1500'
    """
    return f"{key.replace('/', '.')}.{alarm.number}"


class Incidents:
    """The incidents in a folder; `capture_folder` has the inputs that were captured."""

    def __init__(self, folder: Path, capture_folder: Path | None = None) -> None:
        self.folder, self._capture_folder = folder, capture_folder
        self._written: dict[str, Incident] = {}

    def report(self, subject: Subject, track: Track, promise: Promise, now: float) -> None:
        """Write the incident of the alarm that stands; anew when twice as many predictions or labels have come as it knows of."""
        alarm = track.vigil.alarm
        assert alarm
        name = incident_name(subject.key, alarm)
        inquiry, old = Inquiry(subject, track, alarm, now), self._known(name)
        if old and not _grown(old, inquiry):
            return
        incident = inquiry.incident(name, promise)
        if old:
            incident = dataclasses.replace(incident, noticed_after=old.noticed_after)
        shown = old.exhibits if old else ()
        if not shown and self._capture_folder:
            shown = exhibits(captured(self._capture_folder, subject.key), alarm.since, inquiry.case, subject.manifest.input)
        self.keep(dataclasses.replace(incident, exhibits=shown))

    def keep(self, incident: Incident) -> None:
        """Write an incident; the file appears whole or not at all. It may show inputs, so only its owner may read it.

        Of its subject's incidents the newest are kept.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self._path(incident.id)
        staged = path.with_suffix(".new")
        with os.fdopen(os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(incident.to_json())
        staged.replace(path)
        self._written[incident.id] = incident
        of_subject = [name for name in self.names() if name.rpartition(".")[0] == incident.id.rpartition(".")[0]]
        for name in of_subject[MOST:]:
            for ending in ("json", "seen"):
                (self.folder / f"{name}.{ending}").unlink(missing_ok=True)
            self._written.pop(name, None)

    def names(self) -> list[str]:
        """All that there are, the newest first."""
        found = (path.stem for path in self.folder.glob("*.json"))
        return sorted((name for name in found if _NAME.fullmatch(name)), key=_number, reverse=True)

    def read(self, name: str) -> Incident:
        """Raises IncidentError if there is none of that name, or its file is damaged."""
        path = self._path(name)
        try:
            return Incident.from_json(path.read_text(encoding="utf-8"), str(path))
        except FileNotFoundError:
            raise _unknown(name) from None
        except (OSError, UnicodeDecodeError) as error:
            raise IncidentError(f"{path} cannot be read: {error}; remove the file") from error

    def see(self, name: str) -> None:
        """Mark an incident as seen. Raises IncidentError if there is none."""
        if not self._path(name).exists():
            raise _unknown(name)
        (self.folder / f"{name}.seen").touch()

    def is_seen(self, name: str) -> bool:
        """Whether somebody has seen it."""
        return (self.folder / f"{name}.seen").exists()

    def was_seen(self, key: str, alarm: Alarm) -> bool:
        """Whether somebody has seen the incident of an alarm."""
        return self.is_seen(incident_name(key, alarm))

    def _path(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise _unknown(name)
        return self.folder / f"{name}.json"

    def _known(self, name: str) -> Incident | None:
        """As it was written last; None if it was not, or cannot be read any more."""
        if not self._path(name).exists():
            return None
        if name not in self._written:
            try:
                self._written[name] = self.read(name)
            except IncidentError:
                return None
        return self._written[name]


def _grown(old: Incident, inquiry: Inquiry) -> bool:
    return inquiry.rows >= _MORE * old.predictions or inquiry.labels >= max(1, _MORE * old.accuracy.labels)


def _number(name: str) -> int:
    return int(name.rpartition(".")[2])


def _unknown(name: str) -> IncidentError:
    return IncidentError(f"there is no incident {name[:100]!r}; `veleta incidents` lists them")
