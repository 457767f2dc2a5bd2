"""What a command leaves behind when it ends with an error: nothing, for every command that keeps a run folder."""

import json
import shutil

import pytest
from command import run
from PIL import Image

from vitrail.tasks import TASKS

NOT_THERE = "not-there"
REFUSED = {  # commands with settings that are accepted, and data, networks or runs that are not
    "classify": [[NOT_THERE, "--backbone", "squeezenet"], ["BROKEN", "--backbone", "squeezenet"]],
    "check": [[NOT_THERE], ["BROKEN"], ["STRIPES", "--backbone", NOT_THERE]],
    "transfer": [
        ["STRIPES", "--backbone", "squeezenet", "--leave-out", NOT_THERE],
        [NOT_THERE], ["BROKEN", "--backbone", "squeezenet"], ["ONE CLASS", "--backbone", "squeezenet"],
        ["STRIPES", "--backbone", "squeezenet", "--layer", "fire99"],
        ["BROKEN CLASSES", "--backbone", "squeezenet", "--layer", "fire9"],
    ],
    "predict": [[NOT_THERE, "IMAGE"], ["CLASSIFIER", NOT_THERE], ["CLASSIFIER", "BROKEN"]],
    "explain": [
        [NOT_THERE, "--backbone", "squeezenet"], ["IMAGE", "--backbone", "squeezenet", "--target", "no such class"],
        ["BROKEN", "--backbone", "squeezenet"], ["IMAGE", "--backbone", "CLASSIFIER", "--target", "index:7"],
    ],
    "attack": [
        [NOT_THERE, "--backbone", "squeezenet"], ["IMAGE", "--backbone", "squeezenet", "--target=-1"],
        ["BROKEN", "--backbone", "squeezenet"], ["IMAGE", "--backbone", "CLASSIFIER", "--target", "noise,down"],
    ],
    "audit": [[NOT_THERE, "--backbone", "squeezenet"], ["STRIPES", "--backbone", "squeezenet", "--labels", "BROKEN"]],
    "visualise": [["no such class"], ["tarantula", "--backbone", NOT_THERE]],
    "gan-train": [[NOT_THERE], ["BROKEN"], ["STRIPES", "--batch", "64"], ["STRIPES", "--labels", NOT_THERE]],
    "gan-sample": [[NOT_THERE], ["CLASSIFIER"]],
    "gan-evaluate": [[NOT_THERE], ["CLASSIFIER"]],
    "gan-sweep": [[NOT_THERE, "--set", "seed=0,1"], ["BROKEN", "--set", "seed=0,1"]],
    "gan-interpolate": [[NOT_THERE], ["CLASSIFIER"]],
    "gan-export": [[NOT_THERE], ["CLASSIFIER"]],
    "gan-edit": [[NOT_THERE, "IMAGE", "--set", "Male=1"], ["CLASSIFIER", "IMAGE", "--set", "Male=1"]],
    "compare": [[NOT_THERE, "CLASSIFIER"]],
}  # fmt: skip


@pytest.fixture(scope="module")
def places(classifier, stripes, tmp_path_factory):
    """What the words in capitals stand for."""
    home = tmp_path_factory.mktemp("refused")
    for name in ("broken", "one/cat", "classes/a", "classes/b"):
        (home / name).mkdir(parents=True)
        (home / name / "1.png").write_text("no image")
    Image.new("RGB", (40, 40)).save(home / "image.png")
    Image.new("RGB", (40, 40)).save(home / "one" / "cat" / "2.png")
    return {
        "CLASSIFIER": classifier,
        "STRIPES": stripes,
        "BROKEN": home / "broken",
        "ONE CLASS": home / "one",
        "BROKEN CLASSES": home / "classes",
        "IMAGE": home / "image.png",
    }


def test_every_command_that_keeps_a_run_folder_is_here():
    assert {name for name in TASKS if TASKS[name].records} - {"reproduce"} == REFUSED.keys()


@pytest.mark.parametrize(
    ("task", "words"), [(task, words) for task, lines in REFUSED.items() for words in lines], ids=str
)
def test_a_refused_command_leaves_no_folder_and_can_be_corrected(task, words, places, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [str(places.get(word, word)) for word in words]
    done = run(*task.split("-", 1), *given, "--run", tmp_path / "deep" / "run")
    assert done.exit_code in (1, 2), done.output
    assert [line for line in done.stderr.splitlines() if line.startswith("Error:")] == [done.stderr.splitlines()[-1]]
    assert list(tmp_path.iterdir()) == []
    done = run(*task.split("-", 1), *given)
    assert done.exit_code in (1, 2)
    assert [list(folder.iterdir()) for folder in tmp_path.glob("runs")] in ([], [[]])


@pytest.mark.parametrize("task", REFUSED)
def test_a_refused_command_changes_no_byte_of_an_earlier_run(task, places, classifier, tmp_path):
    shutil.copytree(classifier, tmp_path / "run")
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()}
    for words in REFUSED[task]:
        done = run(*task.split("-", 1), *(str(places.get(word, word)) for word in words), "--run", tmp_path / "run")
        assert done.exit_code in (1, 2)
        assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()} == before


def test_a_run_folder_that_was_there_and_empty_stays(places, tmp_path):
    (tmp_path / "run").mkdir()
    assert run("classify", NOT_THERE, "--run", tmp_path / "run").exit_code == 1
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.parametrize("task", ["classify", "check", "transfer", "explain", "attack", "audit"])
def test_the_data_card_is_in_the_summary_and_in_the_result(task, places, stripes, tmp_path):
    """A line of what was read, and its whole."""
    data = tmp_path / "data"
    shutil.copytree(stripes, data)
    part = data / "test" / "noise"
    (part / "photo.xyz").write_text("of no format")
    (part / "@eaDir").mkdir()
    (part / "@eaDir" / "0.png").write_bytes(next(part.glob("*.png")).read_bytes())
    options = {
        "transfer": ["--layer", "fire9"], "explain": ["--no-faithfulness"], "audit": ["--max-images", "2"],
        "attack": ["--method", "fgsm", "--epsilon", "0.03"],
    }.get(task, [])  # fmt: skip
    given = [data if task in ("check", "transfer", "audit") else part, "--backbone", "squeezenet", *options]
    cache = ["--cache", tmp_path / "c"] if task in ("check", "transfer") else []
    done = run(task, *given, *cache, "--json", "--run", tmp_path / "run")
    assert done.exit_code == 0, done.output
    card = json.loads(done.stdout)["data"]
    assert (card["left_out"][".xyz"], card["left_out"]["system files"]) == (1, 1)
    assert card["images"] == {"check": 36, "transfer": 36, "audit": 2}.get(task, 4)
    assert "left out" in " ".join(done.stderr.split())
