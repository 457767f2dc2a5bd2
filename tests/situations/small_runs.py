"""Commands that take a moment, and what became of them."""

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from command import run

TINY = ("--backbone", "tiny")
QUICK = (*TINY, "--layer", "features", "--C", 1, "--no-find-copies")
"""Options of `transfer`."""

MAP = ("--method", "gradient", "--no-faithfulness")
"""Options of `explain`."""

ATTACK = ("--method", "pgd", "--epsilon", 0.2, "--steps", 4)
"""Options of `attack`: strong, and soon done."""

GAN = {
    "--size": 16, "--epochs": 1, "--batch": 8, "--width": 4, "--latent-size": 8, "--encoder-epochs": 0,
    "--eval-samples": 12, "--final-eval-samples": 12, "--feature-extractor": "tiny",
}  # fmt: skip
"""Options of `gan train`."""


def gan_options(**changed):
    """Those options, some of them changed, or None: left out."""
    chosen = GAN | {f"--{name.replace('_', '-')}": value for name, value in changed.items()}
    given = [(option, value) for option, value in chosen.items() if value is not None]
    return [*(word for pair in given for word in pair), "--no-autotune"]


@dataclass(frozen=True)
class SmallRun:
    """A run that ended well.

    Attributes:
        said: all that was printed, in one line.
    """

    folder: Path
    said: str

    @property
    def result(self):
        return json.loads((self.folder / "result.json").read_text())

    @property
    def data(self):
        return self.result["data"]

    @property
    def classes(self):
        """Those of the classifier, or of the generator."""
        weights = self.folder / "weights"
        if (weights / "head.json").exists():
            return json.loads((weights / "head.json").read_text())["classes"]
        return json.loads((weights / "generator.json").read_text())["names"]

    @property
    def rows(self):
        """Of each image: file, class and part."""
        with (self.folder / "tables" / "files.csv").open(encoding="utf-8", newline="") as table:
            return [(row["file"], row["class"], row["part"]) for row in csv.DictReader(table)]

    def count(self, part):
        """Number of images of each class in a part."""
        return dict(Counter(name for _, name, each in self.rows if each == part))

    def files(self, part):
        """Where the images of a part lay, without the folders around the data."""
        return sorted(file for file, _, each in self.rows if each == part)


def succeeded(folder, *words):
    """Runs a command that must end well in the run folder."""
    done = run(*words, "--run", folder)
    assert done.exit_code == 0, done.output
    assert "Traceback" not in done.output
    return SmallRun(Path(folder), " ".join(done.output.split()))


def refused(*words):
    """Runs a command that must end with one sentence and leave nothing behind; the sentence."""
    before = contents(Path())
    done = run(*words, *(() if {"--run", "--runs", "--resume"} & set(words) else ("--run", "refused")))
    assert done.exit_code in (1, 2), done.output
    errors = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    assert errors == [done.stderr.splitlines()[-1]], done.output
    assert contents(Path()) == before
    return errors[0].removeprefix("Error: ")


def attempted(folder, *words):
    """Runs a command that may end well, which gives its run, or with a sentence that says what to use."""
    before = contents(Path())
    done = run(*words, "--run", folder)
    assert done.exit_code in (0, 1), done.output
    if done.exit_code == 0:
        return SmallRun(Path(folder), " ".join(done.output.split()))
    assert contents(Path()) == before
    assert "Use " in done.stderr.splitlines()[-1]
    return done.stderr.splitlines()[-1].removeprefix("Error: ")


def contents(folder):
    """Every file below a folder and what is in it; features that are stored for later are not."""
    paths = [path for path in folder.rglob("*") if "stored" not in path.parts]
    return {path: path.read_bytes() if path.is_file() else None for path in paths}
