"""Images made to trip a reader: each comes out right or is refused by name, soon, and in little memory."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hostile_images import Hostile, hostile_images

import vitrail
from vitrail.image_files import display_name

HERE = Path(__file__).parent
MEGABYTES = 1024.0  # above a process that has read nothing yet
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="Peaks of memory are read from Linux's /proc.")


def written(folder: Path, hostile: list[Hostile]) -> None:
    folder.mkdir()
    for each in hostile:
        (folder / each.name).write_bytes(each.data)


def read_by_another_process(folder: Path, count: int, *options: str) -> Iterator[dict[str, Any]]:
    """What came of each image; a reader that dies is an answer, and the next one goes on behind it."""
    done = 0
    environment = os.environ | {"PYTHONPATH": str(Path(vitrail.__path__[0]).parent), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(HERE / "image_reader.py"), str(folder), *options]
    while done < count:
        numbers = "".join(f"{number}\n" for number in range(done, count))
        reader = subprocess.run(command, input=numbers, capture_output=True, text=True, env=environment, check=False)
        answers = [json.loads(line) for line in reader.stdout.splitlines()]
        yield from answers
        done += len(answers)
        if done < count:
            assert answers or reader.returncode < 0, reader.stderr  # else it did not begin
            said = f"killed by {-reader.returncode}"
            yield {"what": "crashed", "said": said, "seconds": 0, "share": 0, "megabytes": 0}
            done += 1


@LINUX
@pytest.mark.parametrize("decoder", ["simplejpeg", "pillow"])
def test_every_hostile_image_is_right_or_refused_by_name(decoder: str, campaign, tmp_path: Path):
    faults, counts, slowest, highest = [], Counter[str](), (0.0, 0.0, ""), (0.0, "")
    for seed in range(campaign.seed, campaign.seed + campaign.count(1, 10)):
        large = campaign.whole and seed == campaign.seed
        hostile = list(hostile_images(seed, large=large))
        assert len(hostile) > 200
        folder = tmp_path / str(seed)
        written(folder, hostile)
        options = (str(seed), decoder, *(["--large"] if large else []))
        for each, came in zip(hostile, read_by_another_process(folder, len(hostile), *options), strict=True):
            counts[came["what"]] += 1
            slowest = max(slowest, (came["share"], came["seconds"], each.name))
            highest = max(highest, (came["megabytes"], each.name))
            if came["what"] not in ("right", "refused") or came["share"] > 1 or came["megabytes"] > MEGABYTES:
                faults.append(f"seed {seed}, {each.name!r}: {came}")
    campaign.figures.update(tried=counts.total(), **counts, slowest=slowest, highest_megabytes=highest)
    assert not faults, "\n".join(faults)


@pytest.mark.slow
@LINUX
def test_a_folder_of_them_is_classified_but_for_those_that_are_named(campaign, tmp_path: Path):
    """One task over all: what cannot be read is skipped with a sentence, and everything else is answered."""
    everything = list(hostile_images(campaign.seed))
    hostile = everything if campaign.whole else everything[::4]
    folder = tmp_path / "hostile"
    written(folder, hostile)
    command = [sys.executable, "-m", "vitrail", "classify", str(folder), "--backbone", "squeezenet", "--json"]
    environment = os.environ | {"PYTHONPATH": str(Path(vitrail.__path__[0]).parent)}
    done = subprocess.run(
        [*command, "--run", str(tmp_path / "run")], capture_output=True, text=True, env=environment, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "Warning" not in done.stderr
    result = json.loads(done.stdout)
    read = {entry["file"] for entry in result["images"]}
    skipped = {entry["file"]: entry["reason"] for entry in result["skipped"]}
    assert len(read) + len(skipped) == len(hostile)
    for each in hostile:
        name = display_name(folder / each.name)
        allowed = {True} if each.answer is not None else {False}
        assert (name in read) in allowed | ({False} if each.may_refuse else set()), name
        assert (name in skipped) == (name not in read), name
    for name, reason in skipped.items():
        assert reason.startswith(f"'{name}' ")
        assert ". Use " in reason
        assert reason.isprintable()
    assert "Skipped: '" in " ".join(done.stderr.split())  # the first ones; the others are counted
    campaign.figures.update(read=len(read), skipped=len(skipped))
