"""What a trained generator makes between two images: a film, and a strip of its frames."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field, model_validator

from vitrail.errors import BadSetting
from vitrail.events import Event
from vitrail.settings import setting, split_commas
from vitrail.task import Task

MOST_FRAMES = 600

Seed = Annotated[int, Field(ge=0, lt=2**63)]
Seeds = Annotated[tuple[Seed, ...], BeforeValidator(split_commas)]


class GanWalk(Task):
    """Walk from image to image: what a generator makes of latents between those of several seeds, and of classes.

    Latents go along the sphere, what the generator is told goes straight. Without --class all classes walk together.
    """

    generator: Path = setting(..., "Run folder of `vitrail gan train`", positional=True)
    from_seed: int = setting(0, "Seed of the first image", ge=0, lt=2**63)
    to_seed: int = setting(1, "Seed of the last image", ge=0, lt=2**63)
    seeds: Seeds = setting((), "Several seeds instead, with commas, one after another; one alone for classes only")
    wanted: tuple[str, ...] = setting((), "A class, or attributes as Male=1", flag="--class", repeated=True)
    to_wanted: tuple[str, ...] = setting(
        (), "The class, or the attributes, that the last image has instead", flag="--to-class", repeated=True
    )
    steps: int = setting(24, "Frames from one seed to the next", ge=1, le=MOST_FRAMES)
    loop: bool = setting(False, "Walk back to the first image, so that the film has no end")
    mp4: bool = setting(False, "Make an MP4 too, by the program ffmpeg if there is one")
    milliseconds: int = setting(80, "How long a frame is shown", ge=20, le=10_000)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def run(self) -> Iterator[Event]:
        """Yields the strip and the films; the last event is the `Result`."""
        from vitrail.tasks.gan_walk_run import run

        yield from run(self)

    @property
    def keypoints(self) -> tuple[int, ...]:
        """The seeds in order, at least two."""
        keypoints = self.seeds or (self.from_seed, self.to_seed)
        return keypoints if len(keypoints) > 1 else keypoints * 2

    @property
    def legs(self) -> int:
        """How many ways from one seed to the next there are; a loop has one more, home."""
        return len(self.keypoints) - 1 + int(self.loop)

    @property
    def frames(self) -> int:
        """How many there are."""
        return self.steps * self.legs + (0 if self.loop else 1)

    @model_validator(mode="after")
    def _settings_that_go_together(self) -> GanWalk:
        if self.seeds and (self.from_seed, self.to_seed) != (0, 1):
            raise BadSetting("--seeds names every seed of the walk; leave out --from-seed and --to-seed.")
        if self.to_wanted and not self.wanted:
            raise BadSetting(
                f"--to-class {self.to_wanted[0]} says where the walk ends, and nothing where it begins; add --class."
            )
        if len(set(self.keypoints)) == 1 and not self.to_wanted:
            raise BadSetting(
                f"From seed {self.keypoints[0]} to itself there is no way; two seeds, or --class and --to-class, would "
                "work."
            )
        if self.frames > MOST_FRAMES:
            raise BadSetting(
                f"A walk has at most {MOST_FRAMES} frames; got {self.frames:,}, {self.steps} from each seed to the "
                "next; fewer --steps would work."
            )
        return self
