"""What stands behind the guard: no handler opens a file of elsewhere, whatever is in its inputs."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from vitrail.errors import BadRun, BadSetting
from vitrail.runs import read_run
from vitrail.studio import gans
from vitrail.studio.class_dropdown import visible_classes
from vitrail.studio.context import StudioContext
from vitrail.studio.html import data_url, finished_html
from vitrail.studio.inputs import misclassified_images
from vitrail.studio.train import suspect_choices
from vitrail.studio.uploads import encoded_again

PROGRAM = Path(__file__).with_name("every_handler.py")


@pytest.fixture
def secret(tmp_path):
    """A folder outside all that the page may read, with an image, a run folder and a pipe."""
    folder = tmp_path / "secret"
    (folder / "run" / "weights").mkdir(parents=True)
    Image.new("RGB", (40, 40), (200, 20, 20)).save(folder / "image.png")
    hidden = {"classes": ["hidden"], "names": ["hidden"], "attributes": True}
    for name in ("secret.json", "run/weights/head.json", "run/weights/generator.json"):
        (folder / name).write_text(json.dumps(hidden))
    (folder / "run" / "settings.json").write_text('{"task": "transfer", "settings": {"folder": "/"}}')
    (folder / "run" / "result.json").write_text('{"test": {"accuracy": 1}}')
    os.mkfifo(folder / "pipe")
    return folder


@pytest.fixture
def context(tmp_path, monkeypatch):
    """A page whose jobs wait forever."""
    monkeypatch.setattr("threading.Thread.start", lambda _: None)
    for name in ("runs", "root", "uploads/images"):
        (tmp_path / name).mkdir(parents=True)
    return StudioContext(tmp_path / "runs", (tmp_path / "root",), tmp_path / "uploads")


def hostile_run(context, task="transfer", **settings):
    """A run folder as somebody else could have made it."""
    run = context.runs / "hostile"
    for name in ("tables", "weights", "plots", "images", "live"):
        (run / name).mkdir(parents=True, exist_ok=True)
    (run / "settings.json").write_text(json.dumps({"task": task, "settings": settings}))
    (run / "result.json").write_text('{"test": {"accuracy": 1}}')
    return run


def test_no_handler_opens_what_its_inputs_name(secret, tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "root").mkdir()
    command = [sys.executable, str(PROGRAM), *map(str, (tmp_path / "runs", tmp_path / "root", secret))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{found['calls']} calls of handlers, {found['submitted']} tasks submitted")
    assert found["calls"] > 1500
    assert (found["opened"], found["faults"]) == ([], [])


@pytest.mark.parametrize("given", ["secret/run", "secret", "root/way_out", "runs/link", "runs/../secret/run"])
def test_only_runs_are_asked_for_classes_and_attributes(context, secret, tmp_path, given):
    (tmp_path / "root" / "way_out").symlink_to(secret / "run")
    (context.runs / "link").symlink_to(secret / "run")
    name = str(tmp_path / given)
    assert visible_classes(context, name) == ()
    assert misclassified_images(name, context) == []
    assert context.run_folders() == []
    with pytest.raises(BadSetting, match="not a network"):
        context.check_network(name)
    with pytest.raises(BadRun, match="not a run"):
        context.find_run(name)


def test_a_description_that_is_a_link_or_a_pipe_is_not_read(context, secret):
    run = hostile_run(context, folder="digits")
    (run / "weights" / "head.json").symlink_to(secret / "secret.json")
    (run / "weights" / "generator.json").symlink_to(secret / "secret.json")
    assert visible_classes(context, str(run)) == ()
    assert gans._attributes(run) == []
    for name in ("head.json", "generator.json"):
        (run / "weights" / name).unlink()
        os.mkfifo(run / "weights" / name)
    assert visible_classes(context, str(run)) == ()
    assert gans._attributes(run) == []


@pytest.mark.parametrize("folder", ["/", "/etc", "SECRET", "ROOT", "", "digits", "~"])
def test_a_table_of_mistakes_names_images_of_the_runs_own_data_only(context, secret, tmp_path, folder):
    home = folder.replace("SECRET", str(secret)).replace("ROOT", str(tmp_path / "root"))
    Image.new("RGB", (40, 40)).save(tmp_path / "root" / "mine.png")
    (tmp_path / "root" / "link.png").symlink_to(secret / "image.png")
    names = [
        secret / "image.png",
        secret / "pipe",
        "/etc/passwd",
        "/dev/zero",
        "root/mine.png",
        tmp_path / "root/link.png",
    ]
    rows = [
        f"{name},a,b,0.5" for name in (*names, f"{tmp_path}/root/../secret/image.png", tmp_path / "root" / "mine.png")
    ]
    run = hostile_run(context, folder=home)
    (run / "tables" / "mistakes.csv").write_text("file,true,predicted,probability\n" + "\n".join(rows))
    wanted = [("a → b, 50.0 %: mine.png", str(tmp_path / "root" / "mine.png"))]
    assert misclassified_images(str(run), context) == (wanted if folder in ("/", "ROOT") else [])


def test_an_image_of_elsewhere_is_given_as_its_pixels_alone(context, tmp_path):
    given = tmp_path / "root" / "mine.png"
    Image.new("RGB", (40, 40), (7, 8, 9)).save(given)
    given.write_bytes(given.read_bytes() + b"and a secret behind it")
    copy = encoded_again(given, context.uploads)
    assert copy.is_relative_to(context.uploads)
    assert b"secret" not in copy.read_bytes()
    with Image.open(copy) as image:
        assert image.getpixel((3, 3)) == (7, 8, 9)


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../secret/image.png", "images/link.png", "images/pipe", "images/text.png", ""]
)
def test_an_image_of_a_run_lies_in_it(context, secret, name):
    run = hostile_run(context)
    (run / "images" / "link.png").symlink_to(secret / "image.png")
    (run / "images" / "text.png").write_text("no image")
    os.mkfifo(run / "images" / "pipe")
    assert data_url(run, name) == ""
    Image.new("RGB", (4, 4)).save(run / "images" / "good.png")
    assert data_url(run, "images/good.png").startswith("data:image/png;base64,")


@pytest.mark.parametrize("name", ["settings.json", "result.json", "environment.json", "events.jsonl"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder", "device"])
def test_a_run_whose_files_are_none_is_shown_or_refused_at_once(context, secret, name, kind):
    run = hostile_run(context)
    (run / name).unlink(missing_ok=True)
    {
        "link": lambda path: path.symlink_to(secret / "secret.json"),
        "pipe": os.mkfifo,
        "folder": Path.mkdir,
        "device": lambda path: path.symlink_to("/dev/zero"),
    }[kind](run / name)
    assert "hidden" not in finished_html(run)
    if name == "settings.json":
        with pytest.raises(BadRun):
            read_run(run)


def test_a_run_folder_whose_name_no_page_can_show_spoils_no_list(context):
    good = hostile_run(context)
    bad = context.runs / os.fsdecode(b"bad\xffname")
    bad.mkdir()
    (bad / "settings.json").write_text((good / "settings.json").read_text())
    assert context.run_folders() == [good]


def test_what_a_check_says_it_looked_at_can_be_shown_on_a_page(context):
    run = hostile_run(context, "check", folder="/data/\u202e" + "x" * 300)
    (_, nothing), (label, value) = suspect_choices(context)
    assert (nothing, value) == ("", str(run))
    assert "\u202e" not in label
    assert len(label) < 80


def test_the_key_is_no_mistake_of_a_classifier(context):
    """Of the folder of the runs, which a hostile run may say it was trained on, images count only."""
    (context.runs / ".studio").mkdir()
    (context.runs / ".studio" / "key").write_text("secret")
    run = hostile_run(context, folder=str(context.runs))
    rows = f"file,true,predicted,probability\n{context.runs}/.studio/key,a,b,0.5\n"
    (run / "tables" / "mistakes.csv").write_text(rows)
    assert misclassified_images(str(run), context) == []
