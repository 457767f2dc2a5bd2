"""The commands that a summary ends with, copied and run one after another: each works, from the same folder."""

import re
import shlex

import pytest
from small_tasks import QUICK, RECORDED, Small

TABLE = "file,label\nacross/0.png,across\ndown/0.png,down\n"  # for `--labels TABLE.csv`, which the user has to write
STEPS = [name for name in RECORDED if name != "reproduce"]  # its page says what was found


@pytest.fixture(scope="module")
def small(server, stripes, tmp_path_factory):
    return Small(server, stripes, tmp_path_factory.mktemp("made"))


def steps(said):
    """What stands under "Next:"."""
    found = re.search(r"^Next:\n((?:  .*\n?)+)", said, re.MULTILINE)
    return [shlex.split(line) for line in found[1].splitlines()] if found else []


@pytest.mark.parametrize(
    "name", [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in STEPS]
)
def test_what_a_summary_advises_next_works(name, small, tmp_path):
    (tmp_path / "TABLE.csv").write_text(TABLE)
    here = {"directory": str(tmp_path)}
    outcome = small.server.run(*small.command(name, "run", tmp_path / "cache"), surroundings=here)
    advised = steps(outcome.assert_well().said)
    assert advised, outcome.said
    for command, *words in advised:
        assert command == "vitrail"
        given = [str(small.test / "noise") if word.startswith("IMAGE") else word for word in words]
        small.server.run(*given, surroundings=here).assert_well()
