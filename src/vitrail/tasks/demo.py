"""Demonstration of the commands on packaged images: no download, no data of your own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from vitrail.events import Event, Note, Result, Summary
from vitrail.formatting import count
from vitrail.run_writer import new_folder, record
from vitrail.settings import OUTPUT, cache_folder, setting
from vitrail.task import Task

METHODS = ("gradient", "smooth-grad", "grad-cam")


class Demo(Task):
    """Run the main commands on packaged images: classify, explain, attack, visualise, transfer, gan train."""

    records: ClassVar[bool] = False

    runs: Path = setting(Path("runs"), "Folder in which the run folders are made", panel=OUTPUT, written=True)

    def run(self) -> Iterator[Event]:
        """Passes the events of each run on; the last event is the `Result`."""
        from vitrail.report import build_report

        folders: list[Path] = []
        for name, task in self._tasks(folders):
            folders.append(new_folder(self.runs, name))
            yield Note(str(task.__doc__))
            for event in record(task, name, folders[-1], is_ours=True):
                if isinstance(event, Summary):
                    yield Summary(event.lines)  # without its next steps: the demonstration takes the next one itself
                elif not isinstance(event, Result):
                    yield event
        page = folders[-1] / "report.html"
        build_report(folders, page)
        yield Summary(
            [("runs", f"{count(len(folders), 'run folder')} in {self.runs}"), ("page", str(page))],
            ["vitrail transfer FOLDER", f"vitrail replay {folders[0]}"],
        )
        yield Result({"runs": [str(folder) for folder in folders], "page": str(page)})

    def _tasks(self, finished: list[Path]) -> Iterator[tuple[str, Task]]:
        """Names and tasks in order; `finished` holds the run folders so far."""
        from vitrail.datasets.sample_images import sample_images
        from vitrail.tasks.attack import Attack
        from vitrail.tasks.classify import Classify
        from vitrail.tasks.explain import Explain
        from vitrail.tasks.gan_train import GanTrain
        from vitrail.tasks.transfer import Transfer
        from vitrail.tasks.visualise import Visualise

        images = tuple(sample_images())
        yield "classify", Classify(images=images, backbone="squeezenet", top_k=3)
        yield "classify", Classify(images=images, backbone="efficientnet-lite0", top_k=3)
        yield "explain", Explain(images=images[:1], method=METHODS, samples=16)
        yield "attack", Attack(images=images[:1], target=("tarantula",))
        yield "visualise", Visualise(classes=("tarantula",), steps=80)
        yield "transfer", Transfer(folder=Path("digits"), backbone=("squeezenet",), layer=("fire9",))
        digits = str(finished[-1])
        three = tuple(_test_digits("3")[:1])
        yield "explain", Explain(images=three, method=METHODS, samples=16, backbone=(digits,))
        yield "attack", Attack(images=three, target=("8",), backbone=digits)
        yield "visualise", Visualise(classes=("3",), steps=80, backbone=digits)
        yield (
            "gan-train",
            GanTrain(data="digits", epochs=14, batch=32, learning_rate=5e-4, ema_decay=0.99, evaluate_every=7),
        )


def _test_digits(name: str) -> list[Path]:
    """Test images of one class of the packaged digits."""
    from vitrail.datasets import DATASETS

    test = DATASETS["digits"](cache_folder().parent / "datasets" / "digits").part("test")
    return [file for file, label in zip(test.files, test.labels.tolist(), strict=True) if test.classes[label] == name]
