"""The three labs' report again, chapter by chapter, every figure measured in this run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from vitrail.events import Event
from vitrail.runs import new_folder
from vitrail.settings import setting
from vitrail.task import Task


class Reproduce(Task):
    """Make the source report again (transfer learning, network visualisation, GANs): one page, measured here."""

    chapter: Literal["tp7", "tp8", "tp9", "tp10", "all"] = setting(
        ..., "tp7 (transfer), tp8 (visualisation), tp9 (GANs), tp10 (conditional GANs), or all", positional=True
    )
    data: Path = setting(..., "Folder that holds scene15/, mnist/, celeba64/ and, if there is one, imagenet256/")
    budget: Literal["quick", "full"] = setting(
        "quick", "quick: a quarter of an hour on two cores; full: the report's sizes, overnight"
    )
    weights: Path | None = setting(None, "Folder of weights files, each called as its network, as vgg16-397923af.pth")
    seed: int = setting(0, "Seed of everything that draws", ge=0, lt=2**32)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def resumes(self, folder: Path, *, same_task: bool | None) -> bool:
        """Finished parts are not made again."""
        return bool(same_task)

    def run(self) -> Iterator[Event]:
        """As `run_in`, in a new folder below `runs`."""
        yield from self.run_in(new_folder(Path("runs"), "reproduce"))

    def run_in(self, folder: Path) -> Iterator[Event]:
        """Makes what `folder` does not hold yet, then the page `report.html` there; the last event is the `Result`.

        Each part is a run of its own in `parts/`: one that ended with the same settings is not made again.
        """
        from vitrail.tasks.reproduce_run import run

        yield from run(self, folder)
