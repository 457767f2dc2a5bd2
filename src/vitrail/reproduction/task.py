"""`vitrail reproduce`: the source report on three labs, measured again on this machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from vitrail.events import Event
from vitrail.run_writer import new_folder
from vitrail.settings import DATA, NETWORK, OPTIMISATION, RUNNING, device_setting, setting
from vitrail.task import Task


class Reproduce(Task):
    """Repeat the experiments of the source report (transfer learning, network visualisation, GANs) on one page."""

    chapter: Literal["transfer", "explain", "gan", "conditional-gan", "all"] = setting(
        ..., "Chapter: transfer, explain, gan, conditional-gan, or all", positional=True
    )
    data: Path = setting(
        ..., "Folder that holds scene15/, mnist/, celeba64/ and, optionally, imagenet256/", panel=DATA, place="images"
    )
    budget: Literal["quick", "full"] = setting(
        "quick",
        "Amount of work: quick (about half an hour on two cores) or full (the report's sizes, overnight)",
        panel=OPTIMISATION,
    )
    weights: Path | None = setting(
        None, "Folder of weights files named after their network, e.g. vgg16-397923af.pth", panel=NETWORK
    )
    seed: int = setting(0, "Seed of all random draws", panel=RUNNING, ge=0, lt=2**32)
    device: str = device_setting()

    def resumes(self, folder: Path, *, same_task: bool | None) -> bool:
        """Whether finished steps in `folder` are kept."""
        return bool(same_task)

    def run(self) -> Iterator[Event]:
        """As `run_in`, in a new folder below `runs`."""
        yield from self.run_in(new_folder(Path("runs"), "reproduce"))

    def run_in(self, folder: Path) -> Iterator[Event]:
        """Runs the steps that `folder` lacks, then writes `report.html` there; the last event is the `Result`.

        Each step is a run of its own in `steps/`; a finished one with the same settings is kept.
        """
        from vitrail.reproduction.run import open_inputs, reproduce

        inputs = open_inputs(
            self.data, folder, weights=self.weights, budget=self.budget, seed=self.seed, device=self.device
        )
        yield from reproduce(self.chapter, inputs)
