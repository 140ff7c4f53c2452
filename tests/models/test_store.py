"""The shelf: a version is there whole or not at all, and what is wrong is said in one sentence."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from models.errors import ManifestError, StoreError
from models.store import Store
from tests import small_models
from tests.live_server import ROOT, clean_environment, wait_for
from tests.small_models import Data


def test_the_first_version_becomes_live_by_itself_and_later_ones_do_not(store: Store) -> None:
    assert store.names() == ["digits8", "iris"]
    assert store.versions("digits8") == [1, 2]
    assert store.live("digits8") == 1


def test_promote_and_rollback_go_back_the_way_they_came(store: Store, digits8: Data, tmp_path: Path) -> None:
    small_models.publish(store, "digits8", digits8, tmp_path / "third")
    for version in (2, 3):
        store.promote("digits8", version)

    assert [store.rollback("digits8").manifest.version for _ in range(2)] == [2, 1]
    with pytest.raises(StoreError, match="no version of 'digits8' was live before 1"):
        store.rollback("digits8")
    assert store.live("digits8") == 1


def test_a_candidate_is_under_trial_until_it_is_promoted(store: Store) -> None:
    assert store.candidate("digits8") is None
    store.propose("digits8", 2)
    assert (store.candidate("digits8"), store.live("digits8")) == (2, 1)
    assert (store.root / "digits8/candidate").read_text() == "2\n"

    store.promote("digits8", 1)
    assert store.candidate("digits8") == 2
    store.promote("digits8", 2)
    assert (store.candidate("digits8"), store.live("digits8")) == (None, 2)

    with pytest.raises(StoreError, match="'digits8' has no version 7; it has 1, 2"):
        store.propose("digits8", 7)


def test_a_candidate_that_is_gone_puts_no_other_under_trial(store: Store, digits8: Data, tmp_path: Path) -> None:
    store.propose("digits8", 2)
    shutil.rmtree(store.root / "digits8/2")
    assert store.candidate("digits8") is None
    small_models.publish(store, "digits8", digits8, tmp_path / "again")
    assert store.versions("digits8") == [1, 2]  # the number was free
    assert store.candidate("digits8") is None


def test_promoting_what_is_live_changes_nothing(store: Store) -> None:
    store.promote("digits8", 2)
    store.promote("digits8", 2)

    assert store.rollback("digits8").manifest.version == 1


def test_an_altered_file_is_named_and_never_promoted(store: Store) -> None:
    with (store.root / "digits8/2/model.int8.onnx").open("ab") as file:
        file.write(b"x")

    with pytest.raises(ManifestError, match=r"model\.int8\.onnx has sha256"):
        store.promote("digits8", 2)
    assert store.live("digits8") == 1


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (("surprise",), 1, "manifest has the unknown field 'surprise'"),
        (("input", "colour"), "red", r"manifest\.input has the unknown field 'colour'"),
        (("version",), "1", r"manifest\.version is '1', expected a int"),
        (("task",), "juggling", r"manifest\.task is 'juggling', expected one of 'classification', 'regression'"),
        (("format",), 99, r"format is 99, this Veleta reads 1"),
        (("variants",), {}, r"manifest\.variants is '{}', expected a list"),
        (("input", "range"), [0.0], r"manifest\.input\.range is '\[0\.0\]', expected 2 values"),
        (("default_variant",), "int4", r"manifest\.json: default_variant is 'int4', and there is fp32, int8; publish the version again"),
        (("variants", 1, "published"), False, r"default_variant is 'int8', which is not published: None"),
        (("classes",), ["a"] * 10, r"classes are 'a', 'a', .* expected two or more that differ"),
        (("variants", 1, "file"), "../../1/model.onnx", r"the file '\.\./\.\./1/model\.onnx' lies elsewhere"),
        (("name",), "other", r"holds other/1 by its manifest"),
    ],
)
def test_a_wrong_field_is_named(store: Store, path: tuple[Any, ...], value: object, message: str) -> None:
    file = store.root / "digits8/1/manifest.json"
    data = json.loads(file.read_text())
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    file.write_text(json.dumps(data))

    with pytest.raises((ManifestError, StoreError), match=message):
        store.open("digits8", 1)


def test_a_missing_field_and_a_broken_file_are_named(store: Store) -> None:
    file = store.root / "digits8/1/manifest.json"
    data = json.loads(file.read_text())
    del data["classes"]
    file.write_text(json.dumps(data))
    with pytest.raises(ManifestError, match=r"manifest\.json: manifest lacks the field 'classes'"):
        store.open("digits8", 1)

    file.write_text("{")
    with pytest.raises(ManifestError, match="is not JSON"):
        store.open("digits8", 1)


def test_a_half_written_version_is_no_version(store: Store, digits8: Data, tmp_path: Path) -> None:
    (store.root / "digits8/3").mkdir()
    (store.root / "digits8/3/model.onnx").write_bytes(b"half")

    assert store.versions("digits8") == [1, 2]
    with pytest.raises(StoreError, match=r"has no manifest\.json: it is half-written"):
        store.open("digits8", 3)
    assert small_models.publish(store, "digits8", digits8, tmp_path / "next").manifest.version == 4


@pytest.mark.parametrize("name", ["", "-a", "A", "a/b", "..", "a" * 65, "a b", "ä"])
def test_a_name_that_could_leave_the_store_is_refused(store: Store, name: str) -> None:
    with pytest.raises(StoreError, match="cannot be a model's name"):
        store.open(name)


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(StoreError, match=r"cannot be written: .*; choose another with --store DIR"):
        Store(tmp_path / "file").check_writable()


def test_publishers_at_the_same_time_get_their_own_numbers(store: Store, digits8: Data, tmp_path: Path) -> None:
    threads = [threading.Thread(target=small_models.publish, args=(store, "digits8", digits8, tmp_path / str(i))) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert store.versions("digits8") == [1, 2, 3, 4, 5, 6]
    for version in store.versions("digits8"):
        store.open("digits8", version).verify()


def test_a_publisher_that_is_killed_while_it_copies_leaves_no_version_and_its_rest_is_swept(
    store: Store, digits8: Data, tmp_path: Path
) -> None:
    script = (
        "import sys, pathlib, time; from models.store import Store; s = Store(pathlib.Path(sys.argv[1]));"
        "s.publish('digits8', pathlib.Path(sys.argv[2]), lambda version: time.sleep(60))"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(store.root), str(tmp_path)], cwd=ROOT, env=clean_environment())
    wait_for(lambda: list((store.root / "digits8").glob(".staging-*")))
    process.send_signal(signal.SIGKILL)
    process.wait()

    assert store.versions("digits8") == [1, 2]
    assert small_models.publish(store, "digits8", digits8, tmp_path / "next").manifest.version == 3
    assert not list((store.root / "digits8").glob(".staging-*"))
