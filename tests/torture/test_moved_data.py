"""Every task that keeps a run: repeated from another working directory, and after its images were moved."""

import json
import shutil
from pathlib import Path

import pytest
from command import run
from small_tasks import Small

from vitrail.tasks import TASKS

NOW = {  # where the images of each task are once `data` and `photo` have become `away/data` and `away/photo`
    **dict.fromkeys(("classify", "explain", "attack"), "data/test/across"),
    **dict.fromkeys(("predict", "audit"), "data/test"),
    **dict.fromkeys(("check", "transfer", "gan-train", "gan-evaluate", "gan-sweep"), "data"),
    "gan-edit": "photo",
}
WITHOUT_IMAGES = ("visualise", "gan-sample", "gan-interpolate", "gan-export", "compare")


class Here:
    """Runs commands in this process, for `Small`."""

    def run(self, *arguments):
        self.done = run(*arguments)
        return self

    def assert_well(self):
        assert self.done.exit_code == 0, self.done.output


class Movable(Small):
    """No judge is trained; the image that is edited is none of those of the generator's training, which stay."""

    def gan_train(self, cache):
        return [*super().gan_train(cache), "--feature-extractor", "tiny"]

    def gan_sweep(self, cache):
        return [*super().gan_sweep(cache), "--feature-extractor", "tiny"]

    def gan_evaluate(self, cache):
        return [*super().gan_evaluate(cache), "--feature-extractor", "tiny", "--no-gan-train"]

    def gan_edit(self, cache):
        trained, image, *options = super().gan_edit(cache)[:-2]  # the judge is in the user's cache, as a replay's
        Path("photo").mkdir(exist_ok=True)
        shutil.copy(image, "photo")
        return [trained, f"photo/{image.name}", *options]


@pytest.fixture(scope="module")
def home(stripes, tmp_path_factory):
    """A working directory, in which all paths are relative."""
    folder = tmp_path_factory.mktemp("moved") / "home"
    shutil.copytree(stripes, folder / "data")
    return folder


@pytest.fixture(scope="module")
def small():
    return Movable(Here(), Path("data"), Path())


@pytest.fixture
def recorded(request, home, small, tmp_path, monkeypatch):
    """The run folder of a task; the working directory is another one by then."""
    name = request.param
    monkeypatch.chdir(home)
    Here().run(*small.command(name, tmp_path.name, Path("cache"))).assert_well()
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return home / tmp_path.name


def replayed(folder, *options):
    done = run("replay", folder, "--json", *options)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_every_task_is_here():
    assert {name for name in TASKS if TASKS[name].records} - {"reproduce"} == {*NOW, *WITHOUT_IMAGES}


SLOW = {"gan-edit": pytest.mark.slow}  # two encoders and a judge are trained


@pytest.mark.parametrize("recorded", [pytest.param(name, marks=SLOW.get(name, ())) for name in NOW], indirect=True)
def test_a_run_is_repeated_from_elsewhere_after_its_images_were_moved(recorded, home, request):
    away = home.parent / "away"
    away.mkdir()
    for name in ("data", "photo"):
        if (home / name).exists():
            (home / name).rename(away / name)
    try:
        refused = run("replay", recorded)
        assert refused.exit_code == 1
        assert refused.stderr.splitlines()[-1].endswith("Use --data PATH, where the images are now.")
        assert refused.stderr.count("\n") == 1
        assert not list(Path("runs").glob("*"))
        result = replayed(recorded, "--data", away / NOW[request.node.callspec.params["recorded"]])
        assert result["equal"], result
        assert not any((result["images"] or {}).get(key) for key in ("changed", "missing", "new"))
    finally:
        for place in away.iterdir():
            place.rename(home / place.name)
        away.rmdir()


@pytest.mark.parametrize("recorded", ["transfer", "gan-evaluate", *WITHOUT_IMAGES], indirect=True)
def test_a_run_is_repeated_from_elsewhere(recorded, request):
    """Its classifier, its generator and its images are looked for where its command was typed."""
    assert replayed(recorded)["equal"]
    if request.node.callspec.params["recorded"] in WITHOUT_IMAGES:
        refused = run("replay", recorded, "--data", recorded)
        assert refused.exit_code == 1
        assert refused.stderr.endswith("which reads no images of yours. Leave out --data.\n")
