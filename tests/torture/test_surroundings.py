"""What surrounds a command is not as it is at home: every task gives the same, or, with nowhere to be, one sentence."""

import pytest
import wholeness
from small_tasks import QUICK, RECORDED, Small

NOWHERE = "/dev/null/home"  # a folder that not even root can make

SURROUNDINGS = {
    "HOME is not set": {"environment": {"HOME": None, "XDG_CACHE_HOME": None}},
    "HOME cannot be written": {"environment": {"HOME": NOWHERE, "XDG_CACHE_HOME": None, "MPLCONFIGDIR": None}},
    "HOME is empty": {"environment": {"HOME": "", "XDG_CACHE_HOME": ""}},
    "WORLD_SIZE of another launcher": {"environment": {"WORLD_SIZE": "4"}},
    "WORLD_SIZE is no number": {"environment": {"WORLD_SIZE": "all", "RANK": ""}},
    "a terminal of Windows": {"output": "cp1252"},
    "an output of ASCII": {"output": "ascii"},
    "no output": {"output": "closed"},
    "a full disk behind the output": {"output": "full"},
    "a working directory that is gone": {"removed": True},
}


@pytest.fixture(scope="module")
def small(server, stripes, tmp_path_factory):
    return Small(server, stripes, tmp_path_factory.mktemp("made"))


@pytest.fixture(scope="module")
def alone(small, tmp_path_factory):
    """Run folder of each task at home, made when it is asked for."""
    home, made = tmp_path_factory.mktemp("alone"), {}

    def of(name):
        if name not in made:
            made[name] = home / name / "run"
            small.server.run(*small.command(name, made[name], home / name / "cache")).assert_well()
        return made[name]

    return of


def test_every_kind_is_tried_on_every_task():
    assert set(QUICK) < set(RECORDED)
    assert {"classify", "transfer", "check", "gan-train"} < set(RECORDED)


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in RECORDED]
)
def test_a_run_is_whole_and_the_same(name, surroundings, small, alone, tmp_path):
    given = SURROUNDINGS[surroundings]
    (tmp_path / "here").mkdir()
    command = [str(word) for word in small.command(name, tmp_path / "run", tmp_path / "cache")]
    if "HOME" in surroundings and "--cache" in command:  # with the cache where it is by default
        place = command.index("--cache")
        del command[place : place + 2]
    outcome = small.server.run(*command, surroundings={**given, "directory": str(tmp_path / "here")})
    if given.get("removed") and outcome.code:
        outcome.assert_one_sentence()
        return
    if given.get("output") not in ("closed", "full"):
        outcome.assert_well()
    assert "Traceback" not in outcome.said, outcome.said
    wholeness.assert_same(alone(name), tmp_path / "run")
    wholeness.check(tmp_path)
