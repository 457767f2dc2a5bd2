"""The same training with several values of some settings, one after another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from vitrail.events import Event, Result
from vitrail.gan.sweep_values import EXAMPLE, combinations, parse_varied
from vitrail.settings import METHOD, setting
from vitrail.tasks.gan_train import GanSettings, GanTrain

if TYPE_CHECKING:
    from vitrail.datasets.pixel_data import PixelOptions
    from vitrail.gan.sweep import SweepCell, SweepResult
    from vitrail.gan.training_data import TrainingData

FIXED = {"data", "labels", "max_images", "held_out", "feature_extractor", "download", "device", "cache"}
"""Settings that are the same in all runs: metrics of other images, or by another network, do not compare."""


class GanSweep(GanSettings):
    """Train with every combination of some settings, and compare the runs."""

    values: tuple[str, ...] = setting(
        (),
        f"Setting of `gan train` with its values, e.g. {EXAMPLE[6:]}; may be repeated",
        panel=METHOD,
        flag="--set",
        repeated=True,
    )
    one_at_a_time: bool = setting(
        False, "One setting varied at a time, the others as given; default: every combination", panel=METHOD
    )

    def __init__(self, **values: Any) -> None:
        super().__init__(**values)
        _ = self.runs  # so that a wrong value is an error before anything begins

    def run(self) -> Iterator[Event]:
        """Yields progress, tables and plots of all runs; the last event is the `Result`.

        Ctrl-C ends the sweep with the finished runs.
        """
        import time

        from vitrail.devices import choose_device
        from vitrail.gan.sweep import SweepResult, sweep

        started, runs = time.perf_counter(), self.runs
        device = choose_device(self.device)
        cells = self._cells(runs)
        for event in sweep(cells):
            if isinstance(event, SweepResult):
                yield from self._report(event, runs, cells, device, started)
            else:
                yield event

    def _cells(self, runs: Mapping[str, GanTrain]) -> dict[str, SweepCell]:
        """The trainings; images are opened once for all that use the same."""
        from vitrail.gan.options import pixel_options
        from vitrail.gan.sweep import SweepCell
        from vitrail.gan.training_data import open_training_data

        opened: dict[PixelOptions, TrainingData] = {}
        cells: dict[str, SweepCell] = {}
        for name, run in runs.items():
            options = pixel_options(run.model_dump())
            if options not in opened:
                opened[options] = open_training_data(run.data, options)
            cell = SweepCell(opened[options], run.train_keywords(opened[options]))
            if cell not in cells.values():  # a value may be the architecture's default
                cells[name] = cell
        return cells

    def _report(
        self,
        result: SweepResult,
        runs: Mapping[str, GanTrain],
        cells: Mapping[str, SweepCell],
        device: str,
        started: float,
    ) -> Iterator[Event]:
        import time

        from vitrail.datasets.changes import files_table
        from vitrail.tasks.gan_sweep_report import sweep_report, sweep_summary

        yield files_table(cells[result.cells[0].name].data.rows)
        yield from sweep_report(result.cells)
        seconds = time.perf_counter() - started
        yield sweep_summary(result, tuple(self.varied), seconds)
        first, varied = result.cells[0], set(self.varied)
        data = cells[first.name].data
        backbones = {str(entry): entry for cell in result.cells for entry in cell.values["backbone"]}
        yield Result(
            {
                "backbone": list(backbones.values()),
                "device": device,
                "data": data.opened.card(data.source).values(),
                "skipped": list(data.opened.skipped),
                "judge": first.values["judge"],
                "varied": {name: list(values) for name, values in self.varied.items()},
                "runs": [
                    cell.summarised(runs[cell.name].model_dump(mode="json", include=varied)) for cell in result.cells
                ],
                "failed": list(result.failed),
                "omitted": result.omitted,
                "seconds": {"total": seconds},
            }
        )

    @property
    def varied(self) -> dict[str, tuple[str, ...]]:
        """The values to compare, by setting.

        Raises:
            BadSetting, UnknownName: a text is not NAME=VALUE,VALUE, or there is no such setting.
        """
        known = [field for field in GanSettings.model_fields if field not in FIXED]
        return parse_varied(self.values, known, FIXED)

    @property
    def runs(self) -> dict[str, GanTrain]:
        """The trainings by name, e.g. `beta1=0.5 d-steps=1`; equal ones only once.

        Raises:
            BadSetting, UnknownName: as `varied`, or as `GanTrain` says of a value.
        """
        # No encoders: these generators are not stored.
        given = self.model_dump(include=set(GanSettings.model_fields)) | {"encoder_epochs": 0}
        names: dict[GanTrain, str] = {}
        for name, chosen in combinations(self.varied, one_at_a_time=self.one_at_a_time):
            names.setdefault(GanTrain(**{**given, **chosen}), name)
        return {name: task for task, name in names.items()}
