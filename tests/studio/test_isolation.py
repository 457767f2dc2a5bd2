"""The page's worker reads below the allowed folders only, whatever leads elsewhere, and opens no connection."""

import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from vitrail import reading
from vitrail.datasets.sample_images import sample_images
from vitrail.studio.context import StudioContext


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """An allowed folder with one image; a secret one beside it, in which the worker stands."""
    home = tmp_path_factory.mktemp("isolation")
    for name in ("allowed", "secret", "runs", "cache"):
        (home / name).mkdir()
    shutil.copy(sample_images()[0], home / "allowed" / "mine.png")
    shutil.copy(sample_images()[1], home / "secret" / "secret.png")
    (home / "secret" / "secret.pth").write_bytes(b"hidden")
    (home / "allowed" / "pics").mkdir()
    (home / "allowed" / "pics" / "link").symlink_to(home / "secret")
    shutil.copy(sample_images()[0], home / "allowed" / "pics" / "own.png")
    (home / "allowed" / "link.png").symlink_to(home / "secret" / "secret.png")
    (home / "allowed" / "table.csv").write_text(f"file\n{home}/secret/secret.png\n../secret/secret.png\n")
    return home


@pytest.fixture(scope="module")
def worker(place):
    """The working process, as the page starts it; takes a task and its settings, gives its answer and its run."""
    surroundings = {**os.environ, "XDG_CACHE_HOME": str(place / "cache"), "TORCH_HOME": str(place / "cache" / "torch")}
    process = subprocess.Popen(
        [sys.executable, "-m", "vitrail.studio.worker", str(place / "allowed"), str(place / "runs")],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=surroundings,
        cwd=place / "secret",
    )  # fmt: skip
    numbers = iter(range(10_000))

    def work(task, **settings):
        folder = place / "runs" / f"{next(numbers)}"
        order = {"task": task, "settings": settings, "folder": str(folder)}
        print(json.dumps(order), file=process.stdin, flush=True)
        assert json.loads(process.stdout.readline()) == {"state": "started"}
        return json.loads(process.stdout.readline()), folder

    yield work
    process.stdin.close()
    process.stdout.close()
    assert process.wait(60) == 0


ELSEWHERE = {
    "absolute": ["SECRET/secret.png"],
    "relative": ["secret.png"],
    "up": ["ALLOWED/../secret/secret.png"],
    "link": ["ALLOWED/link.png"],
    "table": ["ALLOWED/table.csv"],
}


@pytest.mark.parametrize("images", ELSEWHERE.values(), ids=list(ELSEWHERE))
def test_no_image_of_elsewhere_is_read_whatever_leads_there(worker, place, images):
    allowed, secret = str(place / "allowed"), str(place / "secret")
    given = [name.replace("SECRET", secret).replace("ALLOWED", allowed) for name in images]
    answer, _ = worker("classify", images=given, backbone="squeezenet")
    assert answer["state"] == "failed"
    assert "outside the folders that may be read" in answer["message"]
    answer, folder = worker("classify", images=[*given, f"{allowed}/mine.png"], backbone="squeezenet")
    assert answer["state"] == "done", answer
    seen = json.loads((folder / "result.json").read_text())["images"]
    assert [each["file"].rpartition("/")[2] for each in seen] == ["mine.png"]


def test_links_in_folders_and_patterns_lead_nowhere(worker, place):
    answer, folder = worker("classify", images=[str(place / "allowed" / "pics")], backbone="squeezenet")
    assert answer["state"] == "done", answer
    result = json.loads((folder / "result.json").read_text())
    assert [each["file"].rpartition("/")[2] for each in result["images"]] == ["own.png"]
    assert result["skipped"] == []
    for pattern in ("allowed/pics/l*/secret.png", "allowed/../secret/*.png", "allowed/li*.png"):
        answer, _ = worker("classify", images=[str(place / pattern)], backbone="squeezenet")
        assert "There is no image at" in answer["message"]


@pytest.mark.parametrize("weights", ["SECRET/secret.pth", "secret.pth"])
def test_no_weights_of_elsewhere_are_opened(worker, place, weights):
    given = weights.replace("SECRET", str(place / "secret"))
    mine = str(place / "allowed" / "mine.png")
    answer, _ = worker("classify", images=[mine], backbone="squeezenet", weights=given)
    assert answer["state"] == "failed"
    assert "outside the folders that may be read" in answer["message"]


def test_a_run_that_is_repeated_is_held_to_the_same(worker, place):
    """Also one that was changed after it was looked at: what is opened counts."""
    run = place / "runs" / "hostile"
    run.mkdir()
    settings = {"images": ["secret.png"], "backbone": "squeezenet"}
    (run / "settings.json").write_text(json.dumps({"task": "classify", "settings": settings}))
    (run / "result.json").write_text('{"n": 1}')
    answer, _ = worker("replay", run_folder=str(run), runs=str(place / "runs"))
    assert answer["state"] == "failed"
    assert "outside the folders that may be read" in answer["message"]


def test_processes_of_shards_are_held_to_the_same(worker, place):
    images = [str(place / "allowed" / "mine.png"), "secret.png", str(place / "allowed" / "pics")]
    settings = {"backbone": ["squeezenet"], "faithfulness": False, "shards": 3, "workers": 2}
    answer, folder = worker("explain", images=images, **settings)
    assert answer["state"] == "done", answer
    result = json.loads((folder / "result.json").read_text())
    assert [each["file"].rpartition("/")[2] for each in result["images"]] == ["mine.png", "own.png"]
    assert len(result["skipped"]) == 1


@pytest.mark.parametrize("name", ["vgg16", "torchvision:resnet50", "timm:resnet10t"])
def test_no_network_is_fetched(worker, place, name):
    answer, _ = worker("classify", images=[str(place / "allowed" / "mine.png")], backbone=name)
    assert answer["state"] == "failed"
    assert "Internal error" not in answer["message"]


def test_the_worker_is_confined_by_the_page(place):
    context = StudioContext(place / "runs", (place / "allowed",), place / "runs" / "uploads")
    settings = {"images": [str(place / "secret" / "secret.png")], "backbone": "squeezenet"}
    job = context.submit([("classify", settings)])
    while not job.finished:
        time.sleep(0.05)
    context.jobs.close()
    assert "outside the folders that may be read" in job.message


def test_modules_of_the_current_folder_are_not_run(place, tmp_path, monkeypatch):
    """It is the folder of images that somebody else may have made."""
    for name in ("numpy", "yaml", "json", "multiprocessing"):
        (tmp_path / f"{name}.py").write_text(
            f"open({str(tmp_path / 'ran')!r}, 'a').write('{name}')\nraise SystemExit(3)"
        )
    monkeypatch.chdir(tmp_path)
    context = StudioContext(place / "runs", (place / "allowed",), place / "runs" / "uploads")
    settings = {"images": [str(place / "allowed" / "mine.png")], "backbone": ["squeezenet"], "faithfulness": False}
    job = context.submit([("explain", {**settings, "shards": 1, "workers": 1})])
    while not job.finished:
        time.sleep(0.05)
    context.jobs.close()
    assert (job.state, job.message) == ("done", "")
    assert not (tmp_path / "ran").exists()


def test_ray_is_not_started(worker, place):
    mine = str(place / "allowed" / "mine.png")
    answer, _ = worker("explain", images=[mine], backbone=["squeezenet"], shards=1, engine="ray")
    assert answer["state"] == "failed"
    assert "Ray is for the command line" in answer["message"]


@pytest.mark.parametrize("given", ["SECRET", "secret", "ALLOWED/pics", "SECRET/*.png", "ALLOWED/pics/*/*.png"])
def test_names_of_files_elsewhere_are_not_told(worker, place, given):
    named = given.replace("SECRET", str(place / "secret")).replace("ALLOWED", str(place / "allowed"))
    answer, folder = worker("classify", images=[named, str(place / "allowed" / "mine.png")], backbone="squeezenet")
    told = answer["message"] + ((folder / "result.json").read_text() if (folder / "result.json").exists() else "")
    assert "secret.png" not in told
    if given == "SECRET":
        assert "outside the folders that may be read" in answer["message"]


def test_no_connection_is_opened():
    code = (
        "import socket\n"
        "from vitrail.studio.worker import isolate\n"
        "isolate([])\n"
        "datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "for ask in (\n"
        "    lambda: socket.create_connection(('127.0.0.1', 9)), lambda: socket.gethostbyname('localhost'),\n"
        "    lambda: socket.gethostbyaddr('127.0.0.1'), lambda: socket.getnameinfo(('127.0.0.1', 9), 0),\n"
        "    lambda: datagram.sendto(b'a', ('127.0.0.1', 9)),\n"
        "    lambda: datagram.sendmsg([b'a'], [], 0, ('127.0.0.1', 9)),\n"
        "):\n"
        "    try: ask()\n"
        "    except ConnectionRefusedError as error: print(error.strerror)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "the page opens no connections\n" * 6


def test_what_is_allowed_is_read(worker, place):
    answer, folder = worker("explain", images=[str(place / "allowed" / "mine.png")], backbone=["squeezenet"])
    assert answer["state"] == "done", answer
    assert (folder / "result.json").is_file()


def test_a_process_that_is_confined_reads_below_its_places_only(tmp_path):
    for name in ("in", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a").write_text(name)
    (tmp_path / "in" / "link").symlink_to(tmp_path / "out" / "a")
    (tmp_path / "way").symlink_to(tmp_path / "in")
    try:
        reading.confine([tmp_path / "way"])
        assert reading.read_bytes(tmp_path / "in" / "a", 9) == b"in"
        for path in ("out/a", "in/link", "in/../out/a"):
            with pytest.raises(OSError, match="outside the folders that may be read"):
                reading.read_bytes(tmp_path / path, 9)
    finally:
        reading.confine([])
    assert reading.read_bytes(tmp_path / "out" / "a", 9) == b"out"
