"""The command: bad input gives one sentence and changes nothing; a killed training leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.live_server import wait_for
from tests.training.runs import ROOT, veleta_train
from training.runs.changes import difference
from training.runs.difference import paired
from training.runs.record import Record
from veleta.__main__ import main

pytestmark = pytest.mark.training


def everything_in(store: Path) -> list[str]:
    """But for the record, which also tells of what failed."""
    return [str(path.relative_to(store)) for path in store.rglob("*") if ".veleta" not in path.parts] if store.exists() else []


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--data", "numbers"], ["'numbers'", "digits, mnist, fashion-mnist"]),
        (["--data", "monitoring"], ["train-images-idx3-ubyte", "a folder for each class"]),
        (["nowhere.toml"], ["nowhere.toml", "No such file"]),
        (["--set", "epoch=3"], ["'epoch'", "epochs"]),
        (["--set", "epochs=0"], ["epochs is 0"]),
        (["--set", "batch_size=-1"], ["batch_size is -1"]),
        (["--set", "epochs=many"], ["'many'", "whole number"]),
        (["--set", "optimizer=magic"], ["'magic'", "adadelta"]),
        (["--set", "layers.0.kind=Magic"], ["layers.0", "'Magic'", "Conv2D"]),
        (["--set", "layers.1.filters=none"], ["layers.1"]),
        (["--name", "No Name"], ["'No Name'", "a-z"]),
        (["--name", "../up"], ["'../up'"]),
    ],
)
@pytest.mark.usefixtures("signals")
def test_bad_input_is_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, arguments: list[str], words: list[str]
) -> None:
    monkeypatch.chdir(ROOT)
    code = main(["train", "--store", str(tmp_path / "store"), *arguments])
    out, err = capsys.readouterr()
    sentence = err.splitlines()[-1]
    assert code == 1
    assert out == ""
    assert sentence.startswith("veleta: ")
    assert all(word in sentence for word in words), err
    assert "Traceback" not in err
    assert everything_in(tmp_path / "store") == []


def test_unknown_option_is_a_usage_error(tmp_path: Path) -> None:
    assert veleta_train(tmp_path, "--epochs", "3").code == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere; the next test has a store that nobody can write")
def test_unwritable_store(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    run = veleta_train(tmp_path / "store")
    assert (run.code, run.err.count("\n")) == (1, 1)
    assert "cannot be written" in run.err


def test_a_store_that_is_a_file_is_told_before_training(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("not a folder")
    run = veleta_train(tmp_path / "store")
    assert (run.code, run.err.count("\n")) == (1, 1)
    assert "cannot be written" in run.err
    assert "--store" in run.err


@pytest.mark.parametrize("command", ["train", "diagnose recipe.toml", "import some.onnx --name some --reference digits"])
def test_without_the_train_extra(tmp_path: Path, command: str) -> None:
    """As where TensorFlow is not installed: no module can be found there."""
    (tmp_path / "some.onnx").touch()
    (tmp_path / "recipe.toml").touch()
    hide = (
        "import importlib.util, sys; find = importlib.util.find_spec; "
        "importlib.util.find_spec = lambda name, *a: None if name == 'tensorflow' else find(name, *a); "
        "from veleta.__main__ import main; sys.exit(main([*sys.argv[2:], '--store', sys.argv[1]]))"
    )
    call = [sys.executable, "-c", hide, str(tmp_path / "store"), *command.split()]
    done = subprocess.run(call, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr == "veleta: tensorflow is not installed, which training needs; install the train extra: pip install 'veleta[train]'\n"
    )


def test_help_does_not_load_keras() -> None:
    code = (
        "import sys; from veleta.__main__ import main\n"
        "try: main(['train', '--help'])\n"
        "finally: assert not {'keras', 'tensorflow', 'onnx'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--set" in done.stdout


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A recipe that is trained in a moment, with everything that is drawn at random: weights, order, dropout, shift."""
    path = tmp_path / "tiny.toml"
    path.write_text("""
epochs = 1
prune_epochs = 1
max_rows = 300
max_shift_pixels = 1
layers = [
    {kind = "Conv2D", filters = 4, kernel_size = 3, strides = 2, activation = "relu"},
    {kind = "Flatten"},
    {kind = "Dropout", rate = 0.2},
    {kind = "Dense", units = 16},
]
""")
    return path


@pytest.mark.parametrize(("sent", "raised"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_a_stop_that_a_library_swallows_is_raised_again(sent: signal.Signals, raised: type[BaseException]) -> None:
    script = f"""
import contextlib, os
from training import interruption
interruption.listen()
with contextlib.suppress(BaseException):
    os.kill(os.getpid(), {int(sent)})
try:
    interruption.last_chance()
except BaseException as error:
    print(type(error).__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == f"{raised.__name__}\n"


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_comes_when_the_version_is_on_the_shelf_finds_the_work_done(tiny: Path, tmp_path: Path, sent: signal.Signals) -> None:
    store = tmp_path / "store"
    words = [sys.executable, "-m", "veleta", "train", str(tiny), "--store", str(store), "--set", "max_rows=300", "epochs=1"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: process.poll() is not None or list(store.glob("digits/.staging-*")) or (store / "digits/1").exists(), 120)
        process.send_signal(sent)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "digits/1 is published" in out
    assert "interrupted" not in err
    assert [run.result.version for run in Record.of(store).runs("digits")[0]] == [1]


@pytest.mark.parametrize("sent", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_training_leaves_nothing(tiny: Path, tmp_path: Path, sent: signal.Signals) -> None:
    """Killed once it has begun to write the artifacts, which is when there is most to leave behind."""
    store, scratch = tmp_path / "store", tmp_path / "scratch"
    scratch.mkdir()
    command = [sys.executable, "-m", "veleta", "train", str(tiny), "--store", str(store)]
    with subprocess.Popen(
        command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(scratch)}
    ) as process:
        deadline = time.monotonic() + 120
        while not list(scratch.glob("veleta-train-*/model.onnx")):
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(sent)
        out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert out == ""
    assert "Traceback" not in err
    assert everything_in(store) == []
    assert [run.state for run in Record.of(store).runs()[0]] == ["interrupted"]
    if sent != signal.SIGKILL:
        assert list(scratch.glob("veleta-*")) == []


def test_second_version_is_the_same_and_waits(tiny: Path, tmp_path: Path) -> None:
    """The text form says what was published and the next command; one seed gives one network."""
    store = tmp_path / "store"
    first, second = (veleta_train(store, str(tiny), "--name", "tiny") for _ in range(2))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert first.out.splitlines()[-1] == "It is live; next: veleta serve"
    assert second.out.splitlines()[-1] == "Another version is live; next: veleta promote tiny 2"
    assert first.out.startswith(f"tiny/1 is published in {store / 'tiny' / '1'}")
    one, two = (second.store.open("tiny", version).manifest for version in (1, 2))
    assert two.training.parent_version == 1
    assert two.training.recipe["name"] == "tiny.toml"
    after, before = Record.of(store).runs()[0]
    assert (before.result.version, after.result.version) == (1, 2)
    assert {fit.what: fit.epochs for fit in after.fits} == {"training": 1, "fine-tuning": 1}
    assert after.fits[0].curves["learning_rate"] == (1.0,)
    norms = {layer: after.fits[0].curves[f"gradient_norm/{layer}"] for layer in after.fits[0].layers}
    assert list(norms) == ["conv2d", "dense", "probabilities"]
    assert all((norm or 0) > 0 for (norm,) in norms.values())
    assert after.result.scores["test"]["accuracy"] == two.variant("fp32").metrics["accuracy"]
    assert difference(before, after, "test") == paired(won=0, lost=0, rows=60)
    for variant in ("fp32", "pruned"):
        assert one.variant(variant).sha256 == two.variant(variant).sha256


def test_what_is_wrong_is_said_once(tmp_path: Path) -> None:
    """Also what was sure, and said, while the network still learnt."""
    run = veleta_train(tmp_path / "store", "--set", "max_rows=600", "epochs=2", "prune_epochs=1")
    said = [line.partition("] ")[2] for line in run.err.splitlines()]
    findings = [line for line in said if line.startswith(("error: ", "warning: "))]
    assert any(line.startswith("error: ") for line in findings), run.err
    assert len(set(findings)) == len(findings)
