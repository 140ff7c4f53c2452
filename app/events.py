"""The event store as the settings say: the log of labels, and the secret that ids are signed with, which is kept beside it."""

from __future__ import annotations

from pathlib import Path

from app.settings import Settings
from monitoring.counts import secret
from monitoring.counts.label_log import LabelLog


def open_log(settings: Settings) -> LabelLog:
    """The log of labels. Where several machines share it, a file in the state folder tells this one from the others."""
    place = settings.events_place
    if isinstance(place, Path):
        return LabelLog(place)
    return LabelLog(place, secret.read_or_make(settings.state_folder / "replica").decode())


def signing_secret(settings: Settings, log: LabelLog) -> bytes:
    """As it is given, or made by whoever first needs it, for all who share the event store."""
    if settings.secret:
        return secret.check(settings.secret.encode(), "VELETA_SECRET")
    return secret.read_or_make(settings.secret_path) if settings.secret_path else log.secret()
