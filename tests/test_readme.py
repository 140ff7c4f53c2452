"""The README is true: every command in it is run, in a fresh copy of the checkout, in its order."""

from __future__ import annotations

import re
import subprocess
from functools import partial

import pytest
import requests

from app.service import ROUTES
from app.settings import Settings
from tests.live_server import ROOT, clean_environment, wait_for
from tests.made import Made

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
#: The command that trains the default model. `make run` has run it whole, so the README's goes through the same steps with fewer epochs.
TRAIN = ".venv/bin/veleta train"
FEW_EPOCHS = f"{TRAIN} --set epochs=2 prune_epochs=1"


def test_every_file_that_it_names_is_there() -> None:
    for path in re.findall(r"\]\(([^):]+)\)", README):
        assert (ROOT / path).exists(), path
    for name in re.findall(r"`(?:monitoring/)?([a-z_]+\.py)`", README):
        assert list(ROOT.glob(f"[a-z]*/**/{name}")), name


def test_every_target_of_make_that_it_names_is_there_and_help_lists_all() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)

    assert set(re.findall(r"(?:`|^)make ([a-z-]+)", README, re.MULTILINE)) <= targets
    assert set(phony.split()) == targets
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert all(f"make {target} " in shown for target in targets)


def test_routes_and_settings_are_those_of_the_contract() -> None:
    assert set(ROUTES[:-1]) == {"/", "/predict", "/feedback", "/monitor", "/metrics", "/samples", "/healthz", "/readyz"} | {
        "/v2", "/v1", "/invocations", "/ping", "/incidents",
    }  # fmt: skip
    assert Settings().port == 8000


def test_make_run_runs_the_command_that_is_shortened_here() -> None:
    (comment,) = re.findall(rf"^{re.escape(TRAIN)}(.*)$", "".join(BLOCKS), re.MULTILINE)
    assert comment.strip().startswith("#"), "it has no arguments"
    assert "$(VENV)/bin/veleta train;" in (ROOT / "Makefile").read_text()


@pytest.mark.training
@pytest.mark.timeout(1500)
def test_every_command_does_what_it_says(made: Made) -> None:
    copy, port = made.folder, made.port
    answers = []
    for block in BLOCKS:
        commands = "\n".join(line for line in block.splitlines() if not line.startswith("make "))
        script = "set -euo pipefail\n" + commands.replace(":8000", f":{port}").replace(TRAIN, FEW_EPOCHS)
        environment = {name: value for name, value in clean_environment().items() if name != "PYTHONPATH"}
        done = subprocess.run(["bash", "-c", script], cwd=copy, capture_output=True, text=True, timeout=800, env=environment, check=False)
        assert done.returncode == 0, (commands, done.stderr)
        assert '{"error"' not in done.stdout, (commands, done.stdout)
        answers.append(done.stdout)

    told = "\n".join(answers)
    labels = re.findall(r'"predictions":\[\{"id":"[^"]+","label":"(\d)"', told)
    assert len(labels) == 5, "five forms of input were shown"
    assert len(set(labels)) == 1, "and all gave the same answer"
    assert '"matched":1' in told
    assert "digits/2 is live" in told
    assert "digits/1 is live" in told
    assert "veleta_confusion_total" in told
    asked = partial(requests.get, f"http://127.0.0.1:{port}/", headers={"Accept": "application/json"}, timeout=5)
    wait_for(lambda: asked().json()["version"] == "1")
