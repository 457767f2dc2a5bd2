"""Images between those of a trained generator's seeds and labels: a strip and an animation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from vitrail.errors import BadSetting
from vitrail.events import Event, Result
from vitrail.gan.keypoints import Keypoints, interpolation_keypoints
from vitrail.settings import DATA, METHOD, OUTPUT, device_setting, setting, split_commas
from vitrail.task import Task

MAX_FRAMES = 600

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Seeds = Annotated[tuple[Seed, ...], BeforeValidator(split_commas)]


class GanInterpolate(Task):
    """Interpolate between the latents of several seeds, and between labels, with a trained generator.

    Latents are interpolated spherically, labels linearly. Without --class, every class has a row.
    """

    generator: Path = setting(..., "Run folder of `vitrail gan train`", panel=DATA, positional=True)
    from_seed: int = setting(0, "Seed of the first image", panel=METHOD, ge=0, lt=2**63)
    to_seed: int = setting(1, "Seed of the last image", panel=METHOD, ge=0, lt=2**63)
    seeds: Seeds = setting((), "Seeds, comma-separated, instead; a single one to change the class only", panel=METHOD)
    label: tuple[str, ...] = setting(
        (), "Class, or attributes, e.g. Male=1; default: all", panel=METHOD, flag="--class", repeated=True
    )
    to_label: tuple[str, ...] = setting(
        (), "Class, or attributes, of the last image", panel=METHOD, flag="--to-class", repeated=True
    )
    steps: int = setting(24, "Frames from one seed to the next", panel=METHOD, ge=1, le=MAX_FRAMES - 1)
    loop: bool = setting(False, "Interpolation back to the first image", panel=METHOD)
    mp4: bool = setting(False, "An MP4 besides the GIF; needs the program ffmpeg", panel=OUTPUT)
    milliseconds: int = setting(80, "Duration of a frame in milliseconds", panel=OUTPUT, ge=20, le=10_000)
    device: str = device_setting()

    def run(self) -> Iterator[Event]:
        """Yields the strip and the animation; the last event is the `Result`."""
        import time

        from vitrail.devices import choose_device
        from vitrail.gan.generator import load
        from vitrail.gan.interpolation import interpolate_seeds
        from vitrail.tasks.gan_interpolate_report import Report

        started, device = time.perf_counter(), choose_device(self.device)
        interpolation = interpolate_seeds(
            load(self.generator, device=device),
            self.keypoints().seeds,
            label=self.label,
            to_label=self.to_label,
            steps=self.steps,
            loop=self.loop,
        )
        report = Report(interpolation)
        yield from report.files(milliseconds=self.milliseconds, mp4=self.mp4)
        seconds = time.perf_counter() - started
        yield report.summary(self.generator, seconds)
        yield Result(
            {
                "generator": str(self.generator),
                "device": device,
                "skipped": report.skipped,
                "seeds": list(interpolation.keypoints.seeds),
                "classes": report.labels(),
                "frames": interpolation.keypoints.frames,
                "outputs": report.outputs,
                "seconds": {"total": seconds},
            }
        )

    def keypoints(self) -> Keypoints:
        """The seeds in order.

        Raises:
            BadSetting: neither seed nor label changes.
        """
        return interpolation_keypoints(
            self.seeds or (self.from_seed, self.to_seed),
            steps=self.steps,
            loop=self.loop,
            has_label=bool(self.label),
            has_end_label=bool(self.to_label),
        )

    @model_validator(mode="after")
    def _settings_that_go_together(self) -> GanInterpolate:
        if self.seeds and (self.from_seed, self.to_seed) != (0, 1):
            raise BadSetting("--seeds gives every seed, so --from-seed and --to-seed have no effect. Leave these out.")
        path = self.keypoints()
        if path.frames > MAX_FRAMES:
            most = (MAX_FRAMES - 1) // path.segments
            raise BadSetting(
                f"An interpolation has at most {MAX_FRAMES} frames; got {path.frames:,}, {self.steps} from each seed "
                f"to the next. Use {f'--steps {most}' if most else 'fewer seeds'}."
            )
        return self
