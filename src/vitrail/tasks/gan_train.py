"""Images in, a generator of more like them out, with figures that say whether to believe it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

from pydantic import model_validator

from vitrail.errors import BadRun, BadSetting
from vitrail.events import Event
from vitrail.runs import read_run
from vitrail.settings import Names, cache_folder, setting
from vitrail.task import Task

MAY_CHANGE = {"resume", "data", "epochs", "on_alarm", "keep", "evaluate_every", "tensorboard", "cache", "device"}
"""Settings that a run may be gone on with otherwise than it began."""


class GanSettings(Task):
    """What a training can be told, whether it is the only one or one of a sweep."""

    data: str = setting("", "A folder of images or of idx files, digits, mnist, or torchvision:NAME", positional=True)
    architecture: str = setting("auto", "dcgan, conditional-dcgan, conditional-mlp or residual; auto: by the labels")
    size: int | None = setting(None, "Side of the images in pixels; else 32, and 16 for digits", ge=8, le=128)
    loss: str = setting("non-saturating", "Loss, by name; `vitrail list losses` has all")
    epochs: int = setting(20, "How often every image is seen", ge=1)
    batch: int = setting(64, "Images of one step", ge=2)
    latent_size: int = setting(100, "Random numbers that an image is made from", ge=1)
    width: int | None = setting(None, "Channels nearest the image; else the architecture's own", ge=1)
    rate: float = setting(2e-4, "Learning rate of both players", gt=0)
    generator_rate: float | None = setting(None, "Learning rate of the generator alone", gt=0)
    discriminator_rate: float | None = setting(None, "Learning rate of the discriminator alone", gt=0)
    beta1: float = setting(0.5, "Adam's first decay, of both players", ge=0, lt=1)
    generator_beta1: float | None = setting(None, "The generator's alone", ge=0, lt=1)
    discriminator_beta1: float | None = setting(None, "The discriminator's alone", ge=0, lt=1)
    beta2: float = setting(0.999, "Adam's second decay, of both players", ge=0, lt=1)
    updates: str = setting("1:1", "Updates of the discriminator and of the generator in a step, as 5:1")
    conditional: Literal["auto", "yes", "no"] = setting("auto", "Whether the generator is told what to make")
    discriminator_sees_label: Literal["yes", "no"] = setting("yes", "Whether the discriminator is told it too")
    mismatched: Literal["auto", "yes", "no"] = setting(
        "auto", "Show the discriminator real images under wrong labels too; auto: where it is told labels"
    )
    smoothing: float = setting(0.0, "Real images count as real by so much less than 1", ge=0, lt=1)
    penalty: float | None = setting(None, "Weight of the loss's penalty on slopes; else its own", ge=0)
    augment: bool = setting(False, "Change what the discriminator sees (DiffAugment), for few images")
    average: float = setting(0.999, "Decay of the generator's moving average, which is what is kept", ge=0, lt=1)
    precision: Literal["float32", "bfloat16"] = setting("float32", "Of convolutions and products")
    speed: Literal["auto", "plain"] = setting("auto", "auto: time quicker ways to the same numbers, take the quickest")
    samples: int = setting(1000, "Images that are measured while training", ge=8)
    final_samples: int = setting(10_000, "Images that are measured at the end", ge=8)
    evaluate_every: int | None = setting(None, "Epochs from measurement to measurement; else 20 a run", ge=1)
    measure: str = setting(
        "auto", "What measures: judge, a backbone, or inception:FILE; auto: judge where there are labels"
    )
    on_alarm: Literal["warn", "stop", "rollback"] = setting(
        "warn", "What an alarm does; rollback: go on from the best checkpoint, at half the rates"
    )
    labels: Path | None = setting(None, "Table (CSV) of attributes: file, and a column for each, 1 or 0")
    attributes: Names = setting((), "Columns of that table, with commas; else Male,Young or all")
    images: int | None = setting(None, "Images to learn from, drawn at random; else all", ge=8)
    held_out: float = setting(0.1, "Share of images kept for measuring where there is no test part", gt=0, lt=0.9)
    download: bool = setting(False, "Let a data set be downloaded")
    seed: int = setting(0, "Seed of weights, latents and order", ge=0, lt=2**32)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")
    cache: Path = setting(cache_folder().parent, "Folder for judges and downloaded data")

    @property
    def turns(self) -> tuple[int, int]:
        """Updates of the discriminator and of the generator in a step.

        Raises:
            BadSetting: they are not written so.
        """
        first, _, second = self.updates.partition(":")
        if not (first.isdecimal() and second.isdecimal() and 0 < int(first) <= 100 and 0 < int(second) <= 100):
            raise BadSetting(f"--updates takes D:G, whole numbers from 1 to 100; got {self.updates!r}; 5:1 would work.")
        return int(first), int(second)

    @model_validator(mode="after")
    def _settings_that_go_together(self) -> Self:
        if not self.data:
            raise BadSetting("There is nothing to learn from; give a folder, as `vitrail gan train IMAGES`, or digits.")
        _ = self.turns
        if self.discriminator_sees_label == "no" and self.mismatched == "yes":
            raise BadSetting("--mismatched shows the discriminator wrong labels; it must see them then.")
        return self


class GanTrain(GanSettings):
    """Train a generative adversarial network on images: DCGAN, conditional or not."""

    supports_torchrun: ClassVar[bool] = True
    unrecorded: ClassVar[frozenset[str]] = frozenset({"resume"})

    keep: int = setting(2, "Checkpoints that are kept beside the best one", ge=1)
    encoder_epochs: int = setting(8, "Where there are attributes: training of the encoders that editing needs", ge=0)
    tensorboard: Path | None = setting(None, "Folder to write curves for TensorBoard to")
    resume: Path | None = setting(None, "Run folder to go on with, from its last checkpoint")

    def run(self) -> Iterator[Event]:
        """Yields progress, samples of each epoch, figures and checkpoints; the last event is the `Result`.

        Ctrl-C ends the step, keeps a checkpoint and stops; `--resume` goes on from there, to the bit on a CPU.
        """
        from vitrail.tasks.gan_run import run

        yield from run(self)

    @property
    def resume_folder(self) -> Path | None:
        """The run folder that is gone on with."""
        return self.resume

    @model_validator(mode="before")
    @classmethod
    def _of_resumed_run(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The settings of a run that is gone on with, but for those that may change."""
        if not values.get("resume"):
            return values
        run = read_run(Path(values["resume"]))
        if run.task != "gan-train":
            raise BadRun(f"{str(values['resume'])!r} is a run of {run.task}; give one of `vitrail gan train`.")
        other = [name for name in values if name not in MAY_CHANGE and _told(values[name]) != run.settings.get(name)]
        if other or (values.get("data") and values["data"] != run.settings["data"]):
            name = other[0] if other else "data"
            raise BadSetting(
                f"--resume goes on with {name} = {run.settings.get(name)!r}; got {values[name]!r}; leave it out."
            )
        if run.result is not None and int(values.get("epochs") or 0) <= int(run.settings["epochs"]):
            done = run.settings["epochs"]
            raise BadRun(
                f"{str(values['resume'])!r} is finished, its {done} epochs are done; --epochs {2 * done} would go on."
            )
        return {**run.settings, **values, "data": run.settings["data"]}


def _told(value: Any) -> Any:
    """A setting as settings.json has it."""
    return str(value) if isinstance(value, Path) else value
