"""Incidents as files, as pages and as lines of a table; and what of captured inputs they show."""

from __future__ import annotations

import dataclasses
import json
import re
import stat
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from benchmarks.verdicts.changes import changes
from benchmarks.verdicts.run import NO_LABELS, PROMISE, run
from benchmarks.verdicts.world import Model, World, profiled
from models.store import Store
from monitoring.counts.capture import Capture, captured
from monitoring.drift.alarm import Alarm
from monitoring.incidents.exhibits import exhibits, places
from monitoring.incidents.files import MOST, Incidents, incident_name
from monitoring.incidents.incident import Exhibit, Incident, IncidentError
from monitoring.incidents.inquiry import Inquiry
from monitoring.incidents.page import bars, policy, render
from monitoring.signals.measure import Batch
from monitoring.track import Track
from tests.small_models import Data
from veleta.__main__ import main

CHANGES = {change.name: change for change in changes()}
KEY = "digits8/1/int8"


@pytest.fixture(scope="module")
def world(shelf: Path, digits8: Data) -> World:
    model = Model.of(Store(shelf).open("digits8", 1), "int8", digits8.test_x, digits8.test_y)
    return World.make(model, profiled(model), np.random.default_rng(0))


@pytest.fixture(scope="module")
def incident(world: World) -> Incident:
    found = run(world, CHANGES["inversion"], 1.0, np.random.default_rng(0)).incidents[1]
    hostile = Exhibit(1.0, "<script>alert(1)</script>", 0.5, 3.0, ("column:<b>",), None, (1.0, 2.5))
    return dataclasses.replace(found, id=incident_name(KEY, Alarm(found.raised_at, 0.0, {})), exhibits=(hostile,))


@pytest.fixture
def kept(incident: Incident, tmp_path: Path) -> Incidents:
    incidents = Incidents(tmp_path / "store" / ".veleta" / "incidents")
    incidents.keep(incident)
    return incidents


def test_an_incident_is_read_back_as_it_was_written_and_only_by_its_owner(kept: Incidents, incident: Incident) -> None:
    assert kept.read(incident.id) == incident
    assert kept.names() == [incident.id]
    assert stat.S_IMODE((kept.folder / f"{incident.id}.json").stat().st_mode) == 0o600


SPOIL: dict[str, tuple[Callable[[str], str], str]] = {
    "cut off": (lambda text: text[: len(text) // 2], "is no incident"),
    "another format": (lambda text: text.replace('"format": 1', '"format": 9'), "format is 9, this Veleta reads 1"),
    "unknown field": (lambda text: text.replace('"variant":', '"extra": 1, "variant":'), "unknown field 'extra'"),
    "missing field": (lambda text: text.replace('"since":', '"then":', 1), "'then'"),
    "another type": (lambda text: re.sub(r'"predictions": \d+', '"predictions": "many"', text), "incident.predictions is 'many'"),
    "unknown cause": (lambda text: text.replace("broken client", "gremlins"), "incident.verdict.cause is 'gremlins'"),
}


@pytest.mark.parametrize("spoiled", SPOIL)
def test_a_damaged_file_is_one_sentence(kept: Incidents, incident: Incident, spoiled: str) -> None:
    spoil, sentence = SPOIL[spoiled]
    path = kept.folder / f"{incident.id}.json"
    path.write_text(spoil(path.read_text()))

    with pytest.raises(IncidentError) as found:
        kept.read(incident.id)
    assert sentence in str(found.value)
    assert str(path) in str(found.value)


@pytest.mark.parametrize("name", ["", "none", "../secret", "digits8.1.int8", "digits8.1.int8.7"])
def test_an_incident_that_there_is_not(kept: Incidents, name: str) -> None:
    for ask in (kept.read, kept.see):
        with pytest.raises(IncidentError, match="there is no incident"):
            ask(name)


def test_of_a_subject_the_newest_are_kept(kept: Incidents, incident: Incident) -> None:
    for number in range(MOST + 5):
        name = f"digits8.1.int8.{number}"
        (kept.folder / f"{name}.json").touch()
        kept.see(name)
    (kept.folder / "digits8.2.int8.1.json").touch()
    kept.keep(incident)

    names = kept.names()
    assert names[0] == incident.id
    assert len(names) == MOST + 1
    assert "digits8.2.int8.1" in names
    assert not (kept.folder / "digits8.1.int8.0.seen").exists()
    assert kept.is_seen(f"digits8.1.int8.{MOST + 4}")


def raised(world: World, rows: int) -> tuple[Track, float]:
    """A track with an alarm, raised after half of so many inverted rows."""
    pool, rng = world.after(CHANGES["inversion"], np.random.default_rng(0)), np.random.default_rng(0)
    track = Track.start(world.subject, 1000.0)
    track = track.advance(world.subject, 1000.0, np.zeros(world.subject.layout.size), NO_LABELS)
    counts = pool.counts[pool.draw(rows, rng)].sum(axis=0)
    track = track.advance(world.subject, 1010.0, counts, NO_LABELS)
    alarm = Alarm(1010.0, 1000.0, {"mean": 20.0, "ink": 25.0})
    return dataclasses.replace(track, vigil=dataclasses.replace(track.vigil, alarm=alarm)), 1010.0


def test_an_incident_is_written_anew_as_predictions_come_in_and_if_it_is_lost(world: World, tmp_path: Path) -> None:
    incidents = Incidents(tmp_path / "incidents")
    for rows, known in ((100, 100), (190, 100), (200, 200), (300, 200), (900, 900)):
        track, now = raised(world, rows)
        incidents.report(world.subject, track, PROMISE, now)
        (name,) = incidents.names()
        assert (incidents.read(name).predictions, incidents.read(name).noticed_after) == (known, 100)
    assert [signal.name for signal in incidents.read(name).raised] == ["ink", "mean"]

    (tmp_path / "incidents" / f"{name}.json").unlink()
    incidents.report(world.subject, track, PROMISE, now)
    assert incidents.read(name).predictions == 900
    (tmp_path / "incidents" / f"{name}.json").write_text("{")
    Incidents(tmp_path / "incidents").report(world.subject, track, PROMISE, now)
    assert incidents.read(name).predictions == 900


def test_captured_rows_are_the_last_ones_and_nobody_else_may_read_them(world: World, tmp_path: Path) -> None:
    batch = world.model.batch(world.model.rows[:50])
    capture = Capture(tmp_path / "captured", 3, 20)
    for start in (0, 15, 30):
        capture.keep(KEY, Batch(*(part[start : start + 15] for part in (batch.inputs, batch.outputs, batch.embeddings))))
    (found,) = captured(tmp_path / "captured", KEY)

    kept = {row.tobytes() for row in found.batch.inputs}
    assert kept == {row.tobytes() for row in batch.inputs[25:45]}
    (path,) = (tmp_path / "captured").iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert captured(tmp_path / "captured", "digits8/11/int8") == []

    other = Capture(tmp_path / "captured", 4, 20)
    other.keep(KEY, batch)
    assert len(captured(tmp_path / "captured", KEY)) == 2
    capture.close()
    assert len(captured(tmp_path / "captured", KEY)) == 1, "what a worker has captured goes with it"
    Capture(tmp_path / "captured", 4, 20)
    assert captured(tmp_path / "captured", KEY) == [], "and with the one that takes the place of a killed worker"
    other.keep(KEY, batch)
    Capture(tmp_path / "captured", 5, 0)
    assert not (tmp_path / "captured").exists(), "and when capturing is switched off"


def test_nothing_is_captured_unless_it_is_switched_on(world: World, tmp_path: Path) -> None:
    Capture(tmp_path / "captured", 0, 0).keep(KEY, world.model.batch(world.model.rows[:5]))
    assert list(tmp_path.iterdir()) == []


def test_rows_of_another_length_are_left_out(world: World, tmp_path: Path) -> None:
    batch, capture = world.model.batch(world.model.rows[:5]), Capture(tmp_path / "captured", 0, 20)
    capture.keep(KEY, batch)
    capture.keep(KEY, Batch(batch.inputs[:, :4], batch.outputs, batch.embeddings))
    (found,) = captured(tmp_path / "captured", KEY)
    assert len(found.at) == 5


def test_pixels_that_come_as_bytes_first_lose_nothing_of_what_comes_later(world: World, tmp_path: Path) -> None:
    batch, capture = world.model.batch(world.model.rows[:4]), Capture(tmp_path / "captured", 0, 20)
    capture.keep(KEY, Batch(batch.inputs.astype(np.uint8), batch.outputs, batch.embeddings))
    capture.keep(KEY, Batch(batch.inputs + np.float32(0.25), batch.outputs, batch.embeddings))
    (found,) = captured(tmp_path / "captured", KEY)
    assert np.array_equal(found.batch.inputs[4:], batch.inputs + np.float32(0.25))


def test_exhibits_are_those_that_speak_most_for_the_change(world: World, tmp_path: Path) -> None:
    track, now = raised(world, 400)
    assert track.vigil.alarm
    case, taken = Inquiry(world.subject, track, track.vigil.alarm, now).case, world.model.published.manifest.input
    rows = np.concatenate([world.model.rows[:30], 255 - world.model.rows[30:60]])
    capture = Capture(tmp_path / "captured", 0, 100)
    capture.keep(KEY, world.model.batch(rows))
    found = exhibits(captured(tmp_path / "captured", KEY), 0.0, case, taken)

    assert len(found) == 24
    assert [one.speaks_for for one in found] == sorted((one.speaks_for for one in found), reverse=True)
    live, normal = (case.reference.split(counts) for counts in (case.live, case.normal))
    bins = places(case.reference, world.model.batch(rows), taken)
    expected = np.zeros(60)
    for name in ("mean", "ink"):
        p, q = ((counts + 0.5) / (counts.sum() + len(counts) / 2) for counts in (live[name], normal[name]))
        expected += np.log(p / q)[bins[name]]
    assert [one.speaks_for for one in found] == pytest.approx(sorted(expected, reverse=True)[:24])
    assert all(one.image and one.image.startswith("data:image/png;base64,") and not one.values for one in found)
    assert exhibits(captured(tmp_path / "captured", KEY), 1e18, case, taken) == (), "none from before the change"


class _Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_comes_from_outside(incident: Incident) -> None:
    text, page = render(incident), _Page()
    page.feed(text)

    assert not {"script", "link", "iframe", "form"} & {tag for tag, _ in page.tags}
    assert not re.findall(r"(?:https?:)?//", text)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<b>" not in text
    assert not any("style" in attributes or any(name.startswith("on") for name in attributes) for _, attributes in page.tags)
    assert "'sha256-" in policy()


def test_the_page_says_what_the_incident_says(incident: Incident) -> None:
    text = render(incident)
    for part in (incident.verdict.evidence, incident.verdict.remedy, incident.id, "Accuracy before", "likely"):
        assert part in text, part
    for signal in incident.signals:
        assert signal.direction.replace("'", "&#39;") in text


def test_the_bars_are_the_shares(incident: Incident) -> None:
    signal = incident.raised[0]
    drawn = bars(signal)
    before, since = (np.array(counts) / sum(counts) for counts in (signal.reference, signal.since))
    scale = max(bar.since for bar in drawn) / since.max()
    assert [bar.since for bar in drawn] == pytest.approx(since * scale)
    assert [bar.before for bar in drawn] == pytest.approx(before * scale)


def veleta(capsys: pytest.CaptureFixture[str], kept: Incidents, *words: str) -> tuple[int, str, str]:
    code = main(["incidents", "--store", str(kept.folder.parents[1]), *words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_lists_shows_and_marks(capsys: pytest.CaptureFixture[str], kept: Incidents, incident: Incident, tmp_path: Path) -> None:
    code, said, _ = veleta(capsys, kept)
    head, line = said.splitlines()
    assert code == 0
    assert head.split() == ["since", "(UTC)", "model", "signals", "cause", "accuracy", "state", "id"]
    assert ("broken client" in line, " open " in line, line.split()[-1]) == (True, True, incident.id)
    assert veleta(capsys, kept, "digits8/1")[1] == said
    assert "no incident of iris" in veleta(capsys, kept, "iris")[1]
    assert incident.verdict.remedy in veleta(capsys, kept, "--show", incident.id)[1]
    assert json.loads(veleta(capsys, kept, "--show", incident.id, "--json")[1])["seen"] is False
    assert veleta(capsys, kept, "--html", incident.id)[1].strip() == render(incident).strip()
    code, said, told = veleta(capsys, kept, "--html", incident.id, str(tmp_path / "page.html"))
    assert (code, said, told) == (0, "", f"{tmp_path / 'page.html'} is written\n")

    assert f"{incident.id} is seen" in veleta(capsys, kept, "--seen", "all")[1]
    assert veleta(capsys, kept, "--seen", "all")[1] == "no incident is open\n"
    assert json.loads(veleta(capsys, kept, "--json")[1])["incidents"][0]["seen"] is True


def test_the_command_says_in_one_sentence_what_is_wrong(capsys: pytest.CaptureFixture[str], kept: Incidents, incident: Incident) -> None:
    for words in (
        ("--show", "none"),
        ("--seen", "none"),
        ("--html", "none"),
        ("--html", incident.id, "a", "b"),
        ("--html", incident.id, "/none/x"),
    ):
        code, said, told = veleta(capsys, kept, *words)
        assert (code, said, told.count("\n")) == (1, "", 1), words
        assert told.startswith("veleta: ")
    (kept.folder / "digits8.1.int8.1.json").write_text("{")
    code, said, told = veleta(capsys, kept)
    assert (code, incident.id in said) == (1, True)
    assert "digits8.1.int8.1.json is no incident" in told


def test_the_state_folder_is_found_by_flag_and_environment(
    capsys: pytest.CaptureFixture[str], kept: Incidents, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["incidents", "--store", "none"]) == 0
    assert "no incident in none/.veleta/incidents" in capsys.readouterr().out
    monkeypatch.setenv("VELETA_STATE", str(kept.folder.parent))
    assert main(["incidents"]) == 0
    assert "broken client" in capsys.readouterr().out
    assert main(["incidents", "--state", "elsewhere"]) == 0
    assert "no incident in elsewhere/incidents" in capsys.readouterr().out
