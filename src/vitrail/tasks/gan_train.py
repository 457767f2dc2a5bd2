"""Training of a generative adversarial network on images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import PrivateAttr, model_validator

from vitrail.errors import BadSetting
from vitrail.events import Event, Result
from vitrail.gan.resumed_run import resumed_settings
from vitrail.settings import (
    DATA,
    MEASURING,
    METHOD,
    NETWORK,
    OPTIMISATION,
    OUTPUT,
    RUNNING,
    Names,
    device_setting,
    home_setting,
    parse_model,
    setting,
)
from vitrail.task import Task

if TYPE_CHECKING:
    from vitrail.gan.checkpoints import Modes
    from vitrail.gan.training_data import TrainingData

LOSS_HELP = (
    "GAN loss: non-saturating, saturating, hinge, least-squares, wasserstein-gp or relativistic; default: hinge with "
    "projected, otherwise non-saturating"
)
HELD_OUT_HELP = "Share of held-out images where there is no test part; default: 0.1, of few images up to 0.25"
EXTRACTOR_HELP = "Feature extractor of metrics: auto, judge, a backbone, or inception:FILE"


class GanSettings(Task):
    """Settings of a training, alone or in a sweep."""

    data: str = setting(
        "",
        "Folder of images or idx files, digits, mnist, or torchvision:NAME",
        panel=DATA,
        positional=True,
        flag="--data",
        place="images",
    )
    architecture: str = setting(
        "auto",
        "projected, dcgan, conditional-dcgan, conditional-mlp or residual; auto: projected for photographs, otherwise "
        "dcgan",
        panel=NETWORK,
    )
    discriminator_backbone: str | None = setting(
        None, "With projected: frozen network of the discriminator; default: efficientnet-lite0", panel=NETWORK
    )
    size: int | None = setting(None, "Side of the images in pixels; default: 32, digits 16", panel=DATA, ge=8, le=256)
    loss: str | None = setting(None, LOSS_HELP, panel=METHOD)
    epochs: int = setting(20, "Number of epochs", panel=OPTIMISATION, ge=1)
    batch: int = setting(64, "Images per step", panel=OPTIMISATION, ge=2)
    learning_rate: float | None = setting(
        None, "Learning rate of both networks; default: 2e-4, with projected 8e-4", panel=OPTIMISATION, gt=0
    )
    on_alarm: Literal["warn", "stop", "rollback", "heal"] = setting(
        "warn",
        "At an alarm: warn, stop, roll back to the best epoch at half the rates, or heal (half D's rate, DiffAugment)",
        panel=RUNNING,
    )
    conditional: bool | None = setting(None, "Conditional generator; default: where there are labels", panel=NETWORK)
    discriminator_sees_label: bool = setting(True, "Conditional discriminator", panel=NETWORK)
    latent_size: int = setting(100, "Dimension of the latents", panel=NETWORK, ge=1)
    width: int | None = setting(
        None, "Channels of the layer next to the image; default: by architecture", panel=NETWORK, ge=1
    )
    mismatched_labels: bool | None = setting(
        None, "Real images under wrong labels as fakes; default: where D sees labels, not with projected", panel=METHOD
    )
    label_smoothing: float = setting(
        0.0, "One-sided label smoothing: the target of real images is 1 minus this", panel=METHOD, ge=0, lt=1
    )
    gradient_penalty: float | None = setting(
        None, "Weight of the gradient penalty; default: the loss's own", panel=METHOD, ge=0
    )
    diffaugment: bool | None = setting(
        None, "Differentiable augmentation (DiffAugment), for few images; default: with projected", panel=METHOD
    )
    ema_decay: float = setting(0.999, "Decay of the moving average (EMA) of the generator", panel=METHOD, ge=0, lt=1)
    generator_learning_rate: float | None = setting(
        None, "Learning rate of the generator; default: --learning-rate", panel=OPTIMISATION, gt=0
    )
    discriminator_learning_rate: float | None = setting(
        None, "Learning rate of the discriminator; default: --learning-rate", panel=OPTIMISATION, gt=0
    )
    beta1: float | None = setting(
        None, "Adam's beta1 of both networks; default: 0.5, with projected 0", panel=OPTIMISATION, ge=0, lt=1
    )
    generator_beta1: float | None = setting(
        None, "Adam's beta1 of the generator; default: --beta1", panel=OPTIMISATION, ge=0, lt=1
    )
    discriminator_beta1: float | None = setting(
        None, "Adam's beta1 of the discriminator; default: --beta1", panel=OPTIMISATION, ge=0, lt=1
    )
    beta2: float | None = setting(
        None, "Adam's beta2 of both networks; default: 0.999, with projected 0.99", panel=OPTIMISATION, ge=0, lt=1
    )
    d_steps: int = setting(1, "Updates of the discriminator per step", panel=OPTIMISATION, ge=1, le=100)
    g_steps: int = setting(1, "Updates of the generator per step", panel=OPTIMISATION, ge=1, le=100)
    feature_extractor: str = setting("auto", EXTRACTOR_HELP, panel=MEASURING)
    eval_samples: int = setting(1000, "Images of an evaluation while training", panel=MEASURING, ge=8)
    final_eval_samples: int = setting(10_000, "Images of the last evaluation", panel=MEASURING, ge=8)
    evaluate_every: int | None = setting(
        None, "Epochs between evaluations; default: 10 evaluations in a run", panel=MEASURING, ge=1
    )
    labels: Path | None = setting(None, "Table (CSV) of attributes: file, and a column of 1 and 0 for each", panel=DATA)
    attributes: Names = setting((), "Columns of that table: a,b; default: Male,Young, or all", panel=DATA)
    max_images: int | None = setting(None, "Number of training images, sampled at random", panel=DATA, ge=8)
    held_out: float | None = setting(None, HELD_OUT_HELP, panel=DATA, gt=0, lt=0.9)
    download: bool = setting(False, "Download of a named data set", panel=DATA, written=True)
    seed: int = setting(0, "Seed of weights, latents and order of images", panel=RUNNING, ge=0, lt=2**32)
    device: str = device_setting()
    precision: Literal["float32", "bfloat16"] = setting(
        "float32", "Number type of convolutions and matrix products", panel=RUNNING
    )
    autotune: bool = setting(True, "Choice of the fastest equivalent training mode, by timing", panel=RUNNING)
    cache: Path = home_setting()

    def train_keywords(self, data: TrainingData) -> dict[str, Any]:
        """The keywords of `vitrail.gan.train` for these images."""
        from vitrail.gan.networks import describe
        from vitrail.gan.options import network_options, training_options
        from vitrail.gan.training import EvaluationOptions

        settings = self.model_dump()
        networks = network_options(settings)

        return {
            "networks": networks,
            "options": training_options(describe(data.train, networks)["architecture"], settings),
            "evaluation": EvaluationOptions(
                self.feature_extractor, self.eval_samples, self.final_eval_samples, self.evaluate_every
            ),
            "batch": self.batch,
            "epochs": self.epochs,
            "seed": self.seed,
            "device": self.device,
            "autotune": self.autotune,
            "on_alarm": self.on_alarm,
            "cache": self.cache,
        }

    @model_validator(mode="after")
    def _settings_that_go_together(self) -> Self:
        if not self.data:
            raise BadSetting("No images were given. Use `vitrail gan train FOLDER` or `vitrail gan train digits`.")
        if not self.discriminator_sees_label and self.mismatched_labels:
            raise BadSetting("--mismatched-labels needs a discriminator that sees labels. Use one of the two.")
        return self


class GanTrain(GanSettings):
    """Train a generative adversarial network (GAN) on images: DCGAN and others, conditional or not."""

    supports_torchrun: ClassVar[bool] = True
    unrecorded: ClassVar[frozenset[str]] = frozenset({"resume"})

    keep_checkpoints: int = setting(2, "Number of latest checkpoints kept beside the best", panel=OUTPUT, ge=1)
    encoder_epochs: int = setting(
        8, "With attributes: epochs of the encoders that `gan edit` needs; 0: none", panel=OPTIMISATION, ge=0
    )
    tensorboard: Path | None = setting(
        None, "Folder of TensorBoard curves; give it again with --resume", panel=OUTPUT, written=True
    )
    resume: Path | None = setting(
        None,
        "Run folder to resume from its latest checkpoint; --data: where its images are now",
        panel=RUNNING,
        written=True,
    )

    _mode: Modes | None = PrivateAttr(None)  # of the run that is repeated

    def repeat(self, result: Mapping[str, Any]) -> None:
        """Takes over the training mode: another timing may give another one, which rounds differently."""
        from vitrail.gan.checkpoints import Modes

        with suppress(ValueError):  # of a damaged result: by timing, as in a run that is none
            self._mode = parse_model(Modes, result.get("choices"))

    def run(self) -> Iterator[Event]:
        """Yields progress, samples of each epoch, metrics and checkpoints; the last event is the `Result`.

        Ctrl-C finishes the step, stores a checkpoint and stops; `--resume` continues, bit-identically on a CPU.
        """
        from vitrail.devices import repeatable_on_gpu

        with repeatable_on_gpu():
            yield from self._events()

    def _events(self) -> Iterator[Event]:
        import time

        from vitrail.gan.encoders import train_encoders
        from vitrail.gan.options import pixel_options
        from vitrail.gan.training import train
        from vitrail.gan.training_data import open_training_data
        from vitrail.gan.training_events import EpochEnd, TrainingEnd, TrainingStart
        from vitrail.tasks.gan_train_report import TrainingReport

        started = time.perf_counter()
        data = open_training_data(self.data, pixel_options(self.model_dump()))
        events = train(
            data,
            keep_checkpoints=self.keep_checkpoints,
            mode=self._mode,
            resume=self.resume,
            tensorboard=self.tensorboard,
            **self.train_keywords(data),
        )
        for event in events:
            if isinstance(event, TrainingStart):
                report = TrainingReport(event, resume=self.resume)
                yield from report.start()
            elif isinstance(event, EpochEnd):
                yield from report.epoch(event)
            elif isinstance(event, TrainingEnd):
                yield from report.finish(event)
                encoder = yield from train_encoders(
                    event.generator,
                    event.description,
                    data.opened,
                    epochs=self.encoder_epochs,
                    seed=self.seed,
                    device=event.values["device"],
                )
                total = time.perf_counter() - started
                yield report.summary(event, total)
                seconds = {**event.values["seconds"], "total": total}
                yield Result({**event.values, **report.data_values(), "encoder": encoder, "seconds": seconds})
            else:
                yield event

    @property
    def resume_folder(self) -> Path | None:
        """The run folder that is resumed."""
        return self.resume

    @model_validator(mode="before")
    @classmethod
    def _of_resumed_run(cls, values: dict[str, Any]) -> dict[str, Any]:
        """The settings of the resumed run, except those that may change."""
        resume = values.get("resume")
        return resumed_settings(Path(resume), values) if resume and isinstance(resume, str | Path) else values
