"""Several machines share their labels in a real PostgreSQL: each counts once, wherever it comes to, and their counters add up."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import requests

from app.settings import Settings, resolve
from models.configuration import without_password
from models.errors import VeletaError
from monitoring.accuracy.labels import Labels
from monitoring.counts.examples import Examples
from monitoring.counts.label_log import LabelLog, LogError
from monitoring.counts.receipt import Receipt, Seal
from monitoring.subject import fingerprint
from tests import postgresql
from tests.live_server import ROOT, LiveServer, clean_environment, free_port, running, total, wait_for
from tests.small_models import Data

SEAL, KEY = Seal(b"a secret of some length"), "digits8/1/int8"


@pytest.fixture(scope="module")
def programs() -> Path:
    found = postgresql.find_programs()
    if found is None:
        pytest.skip("needs PostgreSQL, Debian's package postgresql")
    return found


@pytest.fixture(scope="module")
def url(programs: Path) -> Iterator[str]:
    with postgresql.running(programs) as (found, _):
        yield found


def receipts(rows: int, at: float = 1000.0) -> list[Receipt]:
    opened = [SEAL.open(one) for one in SEAL.close(fingerprint(KEY), at, [3] * rows, [0.5] * rows)]
    return [receipt for receipt in opened if receipt]


def labelled(tail: Labels) -> int:
    return len(tail.actual)


@pytest.fixture(params=["SQLite", "PostgreSQL"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str | Path:
    """An empty event store of either kind."""
    if request.param == "SQLite":
        return tmp_path / "events.db"
    url: str = request.getfixturevalue("url")
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS veleta CASCADE")
    return url


def test_a_label_counts_once_in_either_store(place: str | Path) -> None:
    one, other = LabelLog(place), LabelLog(place)
    first, second, third = receipts(3)

    assert one.add([(first, 7.0), (second, 2.5), (first, 7.0), (second, 3.0)], 1001.0) == ["matched", "matched", "duplicate", "conflict"]
    assert other.add([(first, 7), (first, 8), (third, 1e300)], 1002.0) == ["duplicate", "conflict", "matched"]

    tail = other.since(0)
    found = tail.of(KEY)
    assert found.actual.tolist() == [7.0, 2.5, 1e300]
    assert found.labelled_at.tolist() == [1001.0, 1001.0, 1002.0]
    assert labelled(one.since(tail.seq).of(KEY)) == 0
    assert one.marked_since(0).labels == [(first.mark, 7.0), (second.mark, 2.5), (third.mark, 1e300)]

    one.forget(999.0, tail.seq)
    assert labelled(one.since(0).of(KEY)) == 3
    one.forget(1001.0, tail.seq - 1)
    assert labelled(one.since(0).of(KEY)) == 1
    assert one.add([(first, 7.0), (third, 1e300)], 1003.0) == ["matched", "duplicate"]
    one.close()
    other.close()


def test_many_at_once_from_many_sides_are_each_new_once_and_none_is_passed_over(place: str | Path) -> None:
    """Who reads on from where it was sees every row, though writers number theirs before they are done."""
    all_of_them, told, seen, done = receipts(3000), [], [], threading.Event()

    def write(start: int) -> None:
        log = LabelLog(place)
        for at in range(0, 3000, 50):
            some = all_of_them[(start + at) % 3000 :][:50]
            told.extend(log.add([(receipt, 1.0) for receipt in some], 1.0))
        log.close()

    def read() -> None:
        log, seq = LabelLog(place), 0
        while not (was_done := done.is_set()) or seq != (tail := log.since(seq)).seq:
            tail = log.since(seq)
            seen.append(labelled(tail.of(KEY)))
            seq = tail.seq
            if was_done and not seen[-1]:
                break
        log.close()

    reader = threading.Thread(target=read)
    writers = [threading.Thread(target=write, args=(start,)) for start in (0, 700, 1500, 2200)]
    reader.start()
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    done.set()
    reader.join()
    assert told.count("matched") == sum(seen) == 3000
    assert told.count("conflict") == 0


def test_machines_count_what_came_to_them_and_know_all_labels(url: str) -> None:
    with contextlib.closing(LabelLog(url, "here")) as here, contextlib.closing(LabelLog(url, "there")) as there:
        begin = here.marked_since(0)
        while begin.labels:
            begin = here.marked_since(begin.seq)
        mine, theirs = receipts(5), receipts(3)
        here.add([(receipt, 1.0) for receipt in mine], 1.0)
        assert there.add([(receipt, 1.0) for receipt in theirs + mine], 2.0) == ["matched"] * 3 + ["duplicate"] * 5

        assert (labelled(here.since(begin.seq).of(KEY)), labelled(there.since(begin.seq).of(KEY))) == (5, 3)
        assert {mark for mark, _ in here.marked_since(begin.seq).labels} == {receipt.mark for receipt in mine + theirs}


def test_a_store_of_an_earlier_release_is_taken_over(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "events.db"
    log = LabelLog(path)
    log.add([(receipts(1)[0], 4.0)], 1.0)
    log.close()
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("ALTER TABLE labels DROP COLUMN replica")
    assert LabelLog(path).since(0).of(KEY).actual.tolist() == [4.0]


@pytest.mark.parametrize(
    ("place", "sentence"),
    [
        ("postgresql://me:secret@127.0.0.1:1/db", "the event store postgresql://127.0.0.1:1/db cannot be used: connection failed"),
        ("postgres://nowhere.invalid/db?password=secret", "the event store postgres://nowhere.invalid/db cannot be used: "),
        ("postgresql://?nonsense=1", "cannot be used: "),
    ],
)
def test_a_database_that_is_not_there_is_one_sentence_without_its_password(place: str, sentence: str) -> None:
    with pytest.raises(LogError) as raised:
        LabelLog(place)
    assert sentence in str(raised.value)
    assert "secret" not in str(raised.value)
    assert "\n" not in str(raised.value)


class Machines(NamedTuple):
    """Two servers that share nothing but the database and the models."""

    one: LiveServer
    other: LiveServer
    folder: Path


@pytest.fixture(scope="module")
def machines(url: str, shelf: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    folder = tmp_path_factory.mktemp("machines")
    shutil.copytree(shelf, folder / "store")
    flags = "--events", url, "--workers", "2", "--tick-seconds", "0.2", "--state"
    with running(folder / "store", *flags, str(folder / "a")) as one, running(folder / "store", *flags, str(folder / "b")) as other:
        yield Machines(one, other, folder)


def ask(server: LiveServer, data: Data, rows: int) -> list[dict[str, Any]]:
    body = np.ascontiguousarray(data.test_x[:rows]).tobytes()
    found: list[dict[str, Any]] = requests.post(f"{server.url}/predict/digits8", data=body, timeout=30).json()["predictions"]
    return found


def tell(server: LiveServer, said: list[dict[str, Any]], label: str) -> dict[str, Any]:
    feedback = [{"id": one["id"], "label": label} for one in said]
    response = requests.post(f"{server.url}/feedback", json={"feedback": feedback}, timeout=30)
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    return found


def counted(server: LiveServer) -> float:
    return total(server.metrics(), "veleta_confusion_total", 'model="digits8"')


def settled(server: LiveServer) -> float:
    """What is counted once no tick adds to it: that of labels which came before may be under way."""
    seen = [-1.0]

    def stays() -> bool:
        time.sleep(1)  # five ticks
        seen.append(counted(server))
        return seen[-1] == seen[-2]

    wait_for(stays, seconds=30)
    return seen[-1]


def test_a_label_may_come_to_any_machine_and_counts_once_in_all_of_them(machines: Machines, digits8: Data) -> None:
    """Without a secret that is given, they sign with one that lies beside the labels."""
    before = settled(machines.one), settled(machines.other)
    said = ask(machines.one, digits8, 20)

    assert tell(machines.other, said[:12], "4")["matched"] == 12
    assert tell(machines.one, said, "4")["results"] == ["duplicate"] * 12 + ["matched"] * 8
    assert tell(machines.other, said[12:], "5")["conflict"] == 8

    wait_for(lambda: (counted(machines.one), counted(machines.other)) == (before[0] + 8, before[1] + 12))
    assert not list(machines.folder.glob("*/secret"))
    ids = {(machines.folder / name / "replica").read_text() for name in "ab"}
    assert len(ids) == 2


def test_the_inputs_of_one_find_their_labels_of_the_other(machines: Machines, digits8: Data) -> None:
    said = ask(machines.one, digits8, 30)[20:]
    assert tell(machines.other, said, "9")["matched"] == 10
    examples = Examples(machines.folder / "a")
    wait_for(lambda: sum(example.actual == 9 for example in examples.of("digits8")) == 10)


def test_who_was_killed_goes_on_with_what_came_to_it(machines: Machines, digits8: Data) -> None:
    before = settled(machines.other)
    assert tell(machines.other, ask(machines.other, digits8, 15), "3")["matched"] == 15
    for pid in machines.other.worker_pids():
        with contextlib.suppress(ProcessLookupError):
            subprocess.run(["kill", "-KILL", str(pid)], check=False)

    def goes_on() -> bool:
        with contextlib.suppress(requests.ConnectionError):
            return counted(machines.other) == before + 15
        return False

    wait_for(goes_on, seconds=30)


def test_while_the_database_is_away_predictions_go_on_and_no_label_is_lost(
    programs: Path, shelf: Path, tmp_path: Path, digits8: Data
) -> None:
    shutil.copytree(shelf, tmp_path / "store")
    with postgresql.running(programs) as (url, home), running(tmp_path / "store", "--events", url, "--tick-seconds", "0.2") as server:
        said = ask(server, digits8, 20)
        assert tell(server, said[:5], "1")["matched"] == 5
        wait_for(lambda: counted(server) == 5)

        postgresql.stop(programs, home)
        assert len(ask(server, digits8, 7)) == 7
        failed = requests.post(f"{server.url}/feedback", json={"id": said[5]["id"], "label": "1"}, timeout=30)
        assert failed.status_code == 503
        assert failed.json() == {"error": "labels cannot be stored at the moment and none of these was; send them again"}
        assert requests.get(f"{server.url}/readyz", timeout=30).status_code == 200
        wait_for(lambda: total(server.metrics(), "veleta_predictions_total", 'model="digits8"') == 27)
        assert counted(server) == 5

        postgresql.start(programs, home)
        wait_for(lambda: requests.post(f"{server.url}/feedback", json={"id": said[5]["id"], "label": "1"}, timeout=30).status_code == 200)
        assert tell(server, said, "1")["results"] == ["duplicate"] * 6 + ["matched"] * 14
        wait_for(lambda: counted(server) == 20)
        assert server.process.poll() is None


def test_serving_without_the_database_is_one_sentence(shelf: Path, tmp_path: Path) -> None:
    shutil.copytree(shelf, tmp_path / "store")
    place = f"postgresql://veleta:hush@127.0.0.1:{free_port()}/events"
    with pytest.raises(AssertionError) as raised:
        LiveServer(tmp_path / "store", "--events", place)
    text = str(raised.value)
    assert text.startswith("veleta: the event store postgresql://127.0.0.1:")
    assert text.count("\n") == 1
    assert "hush" not in text


def test_its_password_is_not_shown() -> None:
    environment = clean_environment() | {"VELETA_EVENTS": "postgresql://veleta:hush@db.example/events?password=hush"}
    command = [sys.executable, "-m", "veleta", "serve", "--show-config"]
    shown = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "postgresql://db.example/events " in shown
    assert "hush" not in shown


@pytest.mark.parametrize(
    ("place", "shown"),
    [
        ("postgresql://u:pa#ss@h:1/e", "postgresql://h:1/e"),
        ("postgresql://u:p[a]ss@h/e?connect_timeout=1", "postgresql://h/e"),
        ("postgresql://u:p%40ss@h1,h2/e", "postgresql://h1,h2/e"),
        ("postgres://u:hush/hush@h/e", "postgres://…"),
        ("postgresql://u:hush?hush@h/e", "postgresql://…"),
        ("postgresql://u:hush@hush@h/e", "postgresql://…"),
        ("postgresql://h/e?password=hush@hush", "postgresql://…"),
        ("mysql+pymysql://u:hush@h/e", "mysql+pymysql://h/e"),
        ("sqlite:///a/b.db", "sqlite:///a/b.db"),
        ("a/b@c?.db", "a/b@c?.db"),
    ],
)
def test_no_password_is_shown_whatever_is_in_it(place: str, shown: str) -> None:
    assert without_password(place) == shown


@pytest.mark.parametrize("place", ["mysql://u:hush@h/e", "PostgreSQL://u:hush@h/e", "postgresql+psycopg://u:hush@h/e", "postgresql:/h/e"])
def test_a_url_of_another_database_is_refused(place: str) -> None:
    with pytest.raises(VeletaError, match="expected a file or postgresql://USER@HOST/DATABASE") as refused:
        resolve({"events": place}, {}, {})
    assert "hush" not in str(refused.value)


def test_a_url_is_no_file() -> None:
    assert Settings(events="postgres://here/db").events_place == "postgres://here/db"
    assert Settings(events="postgres.db").events_place == Path("postgres.db")
    assert Settings(events="postgresql://here/db").secret_path is None
    assert Settings(events="postgresql://here/db", secret_file="s").secret_path == Path("s")
