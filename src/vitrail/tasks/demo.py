"""A tour that needs no network and no images of one's own."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import ClassVar

from vitrail.errors import MissingExtra
from vitrail.events import Event, Note, Result
from vitrail.runs import new_folder, record
from vitrail.settings import cache_folder, setting
from vitrail.task import Task

SHOWN = ("chelsea.png", "coffee.png", "rocket.jpg")  # CC0 or public domain, inside scikit-image's package
THREE = ("gradient", "smooth-grad", "grad-cam")


class Demo(Task):
    """Take the tour: classify free images, make a classifier of digits, look into both, fool both, make digits."""

    records: ClassVar[bool] = False

    runs: Path = setting(Path("runs"), "Where run folders are made")

    def run(self) -> Iterator[Event]:
        """Passes the events of each stop on; the last event is the `Result`."""
        from vitrail.report import build_report

        folders: list[Path] = []
        for name, task in self._stops(folders):
            folders.append(new_folder(self.runs, name))
            yield Note(f"\n{task.__doc__}")
            for event in record(task, name, folders[-1]):
                if not isinstance(event, Result):
                    yield event
        page = folders[-1] / "report.html"
        build_report(folders, page)
        yield Note(f"Run folder: {folders[-1]}\nPage: {page}")
        yield Result({"runs": [str(folder) for folder in folders], "page": str(page)})

    def _stops(self, done: list[Path]) -> Iterator[tuple[str, Task]]:
        """What is shown, one after the other; `done` holds the run folders so far."""
        from vitrail.tasks.classify import Classify
        from vitrail.tasks.explain import Explain
        from vitrail.tasks.fool import Fool
        from vitrail.tasks.gan_train import GanTrain
        from vitrail.tasks.transfer import Transfer
        from vitrail.tasks.visualise import Visualise

        images = tuple(packaged_images())
        yield "classify", Classify(images=images, backbone="squeezenet", top_k=3)
        yield "classify", Classify(images=images, backbone="efficientnet-lite0", top_k=3)
        yield "explain", Explain(images=images[:1], method=THREE, samples=16)
        yield "fool", Fool(images=images[:1], target=("tarantula",))
        yield "visualise", Visualise(classes=("tarantula",), steps=80)
        yield "transfer", Transfer(folder=Path("digits"), backbone=("squeezenet",), layer=("fire9",))
        digits = str(done[-1])
        three = tuple(_test_digits("3")[:1])
        yield "explain", Explain(images=three, method=THREE, samples=16, backbone=(digits,))
        yield "fool", Fool(images=three, target=("8",), backbone=digits)
        yield "visualise", Visualise(classes=("3",), steps=80, backbone=digits)
        yield (
            "gan-train",
            GanTrain(data="digits", epochs=30, batch=32, learning_rate=5e-4, ema_decay=0.99, evaluate_every=10),
        )


def packaged_images() -> list[Path]:
    """The free photographs in scikit-image's package, which is not imported.

    Raises:
        MissingExtra: scikit-image is not installed.
    """
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise MissingExtra("The demo's images are not installed; run `pip install 'vitrail[demo]'`.")
    return [Path(spec.submodule_search_locations[0]) / "data" / name for name in SHOWN]


def _test_digits(name: str) -> list[Path]:
    """Handwritten digits of one class that the classifier has not learned from."""
    from vitrail.datasets import DATASETS

    test = DATASETS["digits"](cache_folder().parent / "datasets" / "digits", "test")
    return [file for file, label in zip(test.files, test.labels.tolist(), strict=True) if test.classes[label] == name]
