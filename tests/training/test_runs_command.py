"""`veleta runs`: lists, shows, compares, and writes a page that stands by itself."""

from __future__ import annotations

import html.parser
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from monitoring.accuracy.wilson import wilson
from tests.training.recorded import RECIPE, plan, recorded, result
from training.runs.answers import Answers
from training.runs.changes import changes, flat
from training.runs.difference import compare_answers, mcnemar, paired, two_proportions
from training.runs.family import families
from training.runs.record import Record
from training.runs.words import what_changed
from veleta.__main__ import main

pytestmark = pytest.mark.training
EVIL = "<script>alert('1')</script>"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Four runs: one, one with another learning rate, a remedy of it, and one that failed."""
    record = Record.of(tmp_path)
    recorded(record)
    recorded(record, plan(recipe=RECIPE | {"learning_rate": 0.01}), right=930, seed=1)
    recorded(record, plan(kind="remedy", parent=2, change=f"dropout 0 → 0.5 {EVIL}"), right=990, seed=2, epochs=1)
    with pytest.raises(ZeroDivisionError), record.start(plan(name="iris")):
        1 / 0  # noqa: B018
    return tmp_path


def veleta(capsys: pytest.CaptureFixture[str], store: Path, *words: str) -> tuple[int, str, str]:
    code = main(["runs", "--store", str(store), *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_the_list_is_newest_first_and_says_what_changed(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head, *lines = veleta(capsys, store)[1].splitlines()
    assert [line.split()[0] for line in lines] == ["4", "3", "2", "1"]
    assert "learning_rate 0.1 → 0.01" in lines[2]
    assert lines[2][head.index("validation") :].lstrip().startswith("0.9300")
    assert "failed" in lines[0]
    assert lines[3].endswith("overfitting")


def test_json_holds_everything(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(veleta(capsys, store, "digits", "--json")[1])["runs"]
    assert [run["id"] for run in found] == [3, 2, 1]
    assert found[0]["fits"][0]["best"] == 0
    assert found[0]["plan"]["parent"] == 2


def test_one_run(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = veleta(capsys, store, "--show", "2")[1]
    expected = wilson(930, 1000)
    assert f"validation accuracy 0.9300 ({expected.lower:.4f} to {expected.upper:.4f}, 1,000 rows)" in text
    assert "seed = 0  # fixes <everything>" in text
    assert "layer 0: Dense units 8" in text
    assert "warning: overfitting in epoch 3. validation loss up 20 % add dropout" in text
    assert "gradients  dense 0.5 → 0.17, probabilities 1 → 1" in text
    assert "below it:" in text
    assert json.loads(veleta(capsys, store, "--show", "2", "--json")[1])["id"] == 2


def test_a_comparison_says_what_changed_and_whether_it_is_chance(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = veleta(capsys, store, "--compare", "1", "2")[1]
    assert "recipe       learning_rate: 0.1 → 0.01" in text
    one, two = (result(right, seed).answers["test"].right() for right, seed in ((900, 0), (930, 1)))
    p = stats.binomtest(int((one & ~two).sum()), int((one ^ two).sum())).pvalue
    assert f"p = {p:.2g}, same rows): better" in text
    data = json.loads(veleta(capsys, store, "--compare", "1", "2", "--json")[1])
    assert data["accuracy"]["test"]["p"] == pytest.approx(p)
    assert [change["key"] for change in data["changes"]] == ["learning_rate"]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--show", "9"], "there is no run 9"),
        (["--html", "page.html", "x"], "'x' is not the id of a run"),
        (["nobody", "--html", "page.html"], "there is no run of nobody"),
        (["--html", "nowhere/page.html"], "nowhere/page.html cannot be written"),
    ],
)
def test_bad_input_is_one_sentence(store: Path, capsys: pytest.CaptureFixture[str], words: list[str], sentence: str) -> None:
    code, out, err = veleta(capsys, store, *words)
    assert (code, out, err.count("\n")) == (1, "", 1)
    assert sentence in err


def test_an_empty_record_is_no_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert veleta(capsys, tmp_path)[:2] == (0, f"no run in {tmp_path}/.veleta/runs; one is recorded by every `veleta train`\n")


class Page(html.parser.HTMLParser):
    """Checks that tags are closed, and counts what is of interest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.classes: list[str] = []
        self.sources: list[str] = []
        self.ids: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found: dict[str, Any] = dict(attrs)
        self.classes.append(found.get("class") or "")
        self.sources += [value for key, value in attrs if key in ("src", "href") and value]
        self.ids += [found["id"]] if "id" in found else []
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_by_itself(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert veleta(capsys, store, "--html", str(tmp_path / "page.html"))[2] == f"{tmp_path}/page.html is written: 4 runs\n"
    text = (tmp_path / "page.html").read_text(encoding="utf-8")
    page = Page(text)
    assert page.open == []
    assert "<script" not in text
    assert "a&lt;b&gt;" in text  # a label in the confusion matrix
    assert sorted(page.ids) == ["run-1", "run-2", "run-3", "run-4"]
    assert set(page.sources) == {f"#run-{number}" for number in range(1, 5)}
    assert {"tree", "confusion", "verdict warning", "c0", "c1", "c2"} <= set(page.classes)
    for words in ("Validation loss", "Learning rate", "gradient norms by layer", "probabilities", "What changed since run 1"):
        assert words in text


def test_a_page_of_some_runs_knows_their_relatives(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    veleta(capsys, store, "--html", str(tmp_path / "page.html"), "3")
    page = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert page.ids == ["run-3"]
    assert page.sources == ["#run-3", "#run-3"]


def test_a_family_begins_at_its_first_ancestor(store: Path) -> None:
    everything = Record.of(store).runs()[0][::-1]
    (family,) = families(everything, everything)
    assert (family.run.id, [child.run.id for child in family.children]) == (2, [3])
    assert families(everything[:1], everything) == []


def test_the_same_recipe_again_changes_nothing(tmp_path: Path) -> None:
    first, second = recorded(Record.of(tmp_path)), recorded(Record.of(tmp_path))
    assert changes(first, second) == []
    assert what_changed(second, [first]) == "nothing"


def test_keys_are_those_of_set() -> None:
    recipe = {"a": {"b": 1}, "layers": [{"kernel_size": (3, 3), "kind": "Conv2D"}], "empty": {}}
    assert flat(recipe) == {"a.b": 1, "layers.0.kernel_size": (3, 3), "layers.0.kind": "Conv2D", "empty": {}}


def test_answers_to_other_rows_are_not_paired() -> None:
    hits = np.arange(1000) < 900
    found = compare_answers(Answers.of(np.arange(1000), hits), Answers.of(np.arange(1, 1001), hits))
    assert not found.paired
    assert found.words == "no difference beyond chance"


@pytest.mark.parametrize(("won", "lost"), [(0, 0), (1, 0), (12, 3), (40, 38), (300, 200)])
def test_mcnemar_is_scipys_binomial_test(won: int, lost: int) -> None:
    expected = stats.binomtest(won, won + lost).pvalue if won + lost else 1.0
    assert mcnemar(won, lost) == pytest.approx(expected)


@pytest.mark.parametrize("is_paired", [True, False])
def test_the_interval_holds_what_it_promises(is_paired: bool) -> None:
    """2,000 comparisons of networks whose difference is known: the interval holds it in 95 % of them, within three standard errors."""
    rng, rows, inside = np.random.default_rng(0), 400, 0
    for _ in range(2000):
        if is_paired:
            _, won, lost, _ = rng.multinomial(rows, [0.85, 0.06, 0.04, 0.05])
            found, truth = paired(int(won), int(lost), rows), 0.02
        else:
            found = two_proportions(int(rng.binomial(rows, 0.9)), rows, int(rng.binomial(rows, 0.93)), rows)
            truth = 0.03
        inside += found.lower <= truth <= found.upper
    assert abs(inside / 2000 - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 2000) + 0.005
