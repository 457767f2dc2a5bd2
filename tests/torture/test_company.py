"""Two and eight processes with one cache and one folder of runs: all come to what one alone comes to."""

import random
import re
from collections import Counter
from pathlib import Path

import pytest
import wholeness
from safetensors.numpy import load_file
from small_tasks import Small

from vitrail.runs import read_run

pytestmark = pytest.mark.slow

SHARED = ("transfer", "predict", "classify", "gan-train")  # the last one shares its judge
SHORT = {2: ("gan-train", "gan-train"), 8: ("transfer", "predict") * 4}


@pytest.fixture
def small(server, stripes, tmp_path):
    (tmp_path / "made").mkdir()
    return Small(server, stripes, tmp_path / "made")


def alone(small, name, home):
    folder = home / "alone" / name
    small.server.run(*small.command(name, folder, home / "alone" / "cache")).assert_well()
    return folder


def together(small, names, home):
    """Run folders of tasks that were all started at the same time, in the order of their names."""
    commands = [[*small.command(name, "", home / "cache")[:-2], "--runs", home / "runs"] for name in names]
    ended = small.server.together([{"arguments": command} for command in commands])
    said = [re.search(r"^run folder +(.+)$", outcome.assert_well().said, re.MULTILINE) for outcome in ended]
    return [Path(found[1]) for found in said]


def rows(cache):
    """How often each image is in each cache of features."""
    found = Counter()
    for shard in cache.glob("features/*/shard-*.safetensors"):
        digests = load_file(shard)["digests"]
        found.update((shard.parent.name, bytes(digest)) for digest in digests)
    return found


@pytest.mark.parametrize("processes", [2, 8])
def test_in_company(processes, small, tmp_path, campaign):
    draws, counted = random.Random(f"{campaign.seed} {processes}"), Counter()
    lone = {name: alone(small, name, tmp_path) for name in (SHARED if campaign.whole else set(SHORT[processes]))}
    for group in range(campaign.count(1, 25)):
        home = tmp_path / f"{group}"
        names = draws.choices(SHARED, k=processes) if campaign.whole else SHORT[processes]
        first = together(small, names, home)
        kept = wholeness.snapshot(home / "cache")
        second = together(small, names, home)
        assert wholeness.snapshot(home / "cache") == kept  # nothing was computed that was not there
        assert len({*first, *second}) == 2 * processes
        for name, folder in zip([*names, *names], [*first, *second], strict=True):
            wholeness.assert_same(lone[name], folder)
            counted["runs"] += 1
        computed = [read_run(folder).result.get("computed", 0) for folder in second]
        assert not any(computed), computed
        counted["files checked"] += wholeness.check(home)
        counted["rows twice"] += sum(count - 1 for count in rows(home / "cache").values())
        assert not wholeness.leftovers(home)
    campaign.figures.update(**counted)
