"""GAN training: one loop from the first step to the metrics of the best epoch, with checkpoints and alarms."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor, nn

from vitrail.datasets.pixel_data import PixelOptions
from vitrail.devices import check_bfloat16, choose_device, seed_everything
from vitrail.distributed import any_rank, barrier, broadcast_from_rank0, rank_and_world_size
from vitrail.errors import BadSetting
from vitrail.events import Note, Progress
from vitrail.formatting import count, number, percent
from vitrail.gan.alarm_monitor import AlarmMonitor, OnAlarm
from vitrail.gan.checkpoints import Modes, latest_checkpoint
from vitrail.gan.evaluation_values import evaluation_values
from vitrail.gan.extractors import open_extractors
from vitrail.gan.networks import (
    NetworkOptions,
    check_networks,
    describe,
    resolve_options,
    trained_parameters,
)
from vitrail.gan.options import default_options
from vitrail.gan.run_state import RunState
from vitrail.gan.tensorboard import TensorBoardWriter
from vitrail.gan.training_data import TrainingData, default_size, open_training_data
from vitrail.gan.training_events import EpochEnd, TrainingEnd, TrainingEvent, TrainingStart
from vitrail.gan_training.arguments import (
    check_device,
    check_flag,
    check_kind,
    check_optional_path,
)
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.sampling import generate_images, latents_of
from vitrail.gan_training.state import TrainingOptions, loss_of
from vitrail.gan_training.steps import VALUES, train_steps
from vitrail.interrupts import Interrupts
from vitrail.metrics.sample_evaluation import SampleEvaluation, SampleMetrics
from vitrail.settings import cache_folder
from vitrail.validation import check_choice, check_count, check_seed

BATCH = 64
FEWEST_SAMPLES = 8  # of an evaluation
LINES = 20  # of progress in an epoch
EVALUATIONS = 10  # in a run, by default
SHOWN = 20  # epochs of a long run after which samples are drawn and the state is stored: with few images they are short
UNSTORED = 60.0  # seconds of work that a kill may cost, beside the epoch that it ends
FEW_HELD_OUT = 100  # held-out images
EVALUATION_SEED = 1_000_000  # first seed of evaluated images; `gan sample` begins at 0


@dataclass(frozen=True)
class EvaluationOptions:
    """How generators are evaluated while training and at the end.

    Attributes:
        extractor: feature extractor, see `gan.extractors.open_extractors`.
        samples: images of an evaluation while training.
        final_samples: images of the last evaluation, of the best epoch.
        every: epochs between evaluations; None: 10 evaluations in a run.
    Raises:
        BadSetting: a value out of range.
    """

    extractor: str = "auto"
    samples: int = 1000
    final_samples: int = 10_000
    every: int | None = None

    def __post_init__(self) -> None:
        check_kind("extractor", self.extractor, str, "auto")
        check_count("samples", self.samples, least=FEWEST_SAMPLES)
        check_count("final_samples", self.final_samples, least=FEWEST_SAMPLES)
        if self.every is not None:
            check_count("every", self.every)


def check_optional_mode(name: str, value: Any) -> None:
    """Raises `BadSetting` unless `value` is a training mode, or None."""
    if value is not None:
        check_kind(name, value, Modes, "the choices in the result.json of a run")


def check_options(name: str, value: Any) -> None:
    """Raises `BadSetting` unless `value` are training options, or None."""
    if value is not None:
        check_kind(name, value, TrainingOptions, 'TrainingOptions(loss="hinge")')


ARGUMENTS: dict[str, Callable[[str, Any], None]] = {
    "networks": partial(check_kind, kind=NetworkOptions, use="NetworkOptions(width=32)"),
    "options": check_options,
    "evaluation": partial(check_kind, kind=EvaluationOptions, use="EvaluationOptions(samples=1000)"),
    "batch": partial(check_count, least=2),  # batch normalisation needs two images
    "epochs": check_count,
    "seed": check_seed,
    "device": check_device,
    "autotune": check_flag,
    "on_alarm": partial(check_choice, choices=get_args(OnAlarm)),
    "keep_checkpoints": check_count,
    "mode": check_optional_mode,
    "resume": check_optional_path,
    "tensorboard": check_optional_path,
    "cache": check_optional_path,
}
"""The checks of the keywords of `train`."""


def train(  # noqa: C901, PLR0915  (one loop, to be read from top to bottom)
    data: str | Path | TrainingData,
    *,
    networks: NetworkOptions = NetworkOptions(),
    options: TrainingOptions | None = None,
    evaluation: EvaluationOptions = EvaluationOptions(),
    batch: int = BATCH,
    epochs: int = 20,
    seed: int = 0,
    device: str = "auto",
    autotune: bool = True,
    on_alarm: OnAlarm = "warn",
    keep_checkpoints: int = 2,
    mode: Modes | None = None,
    resume: str | Path | None = None,
    tensorboard: str | Path | None = None,
    cache: str | Path | None = None,
) -> Iterator[TrainingEvent]:
    """Trains a GAN; yields progress, notes, checkpoints and `EpochEnd`, and `TrainingEnd` last.

    Ctrl-C finishes the step, yields a checkpoint and raises KeyboardInterrupt. A resumed run is bit-identical to an
    uninterrupted one on a CPU. In a process group (torchrun) every rank calls this; rank 0 evaluates, and is the only
    one to yield checkpoints, `EpochEnd` and `TrainingEnd`.

    Args:
        data: a folder of images, the name of a data set ("digits", "mnist", "torchvision:NAME"), or an opened one.
        networks: architecture and condition.
        options: loss, optimisers, EMA, augmentation; None: what suits the architecture, see `options.default_options`.
        evaluation: feature extractor, and number of images.
        batch: images per step, over all ranks.
        epochs: number of epochs, those of a resumed run included.
        seed: of initial weights, latents and order of images.
        device: "auto", "cpu", "cuda" or "cuda:N".
        autotune: use the fastest equivalent training mode, by timing.
        mode: the training mode of a run that is repeated; None: by `autotune`.
        on_alarm: "warn", "stop", "rollback" to the best epoch with halved learning rates, or "heal"; see
            `AlarmMonitor`.
        keep_checkpoints: number of latest checkpoints to retain beside the best.
        resume: a run folder with checkpoints; its latest one is continued.
        tensorboard: folder for TensorBoard curves.
        cache: folder of trained judges and downloaded data; None: the user's cache.
    Raises:
        BadSetting, BadRun, UnknownName, BadFolder, BadImage: settings, run or images that cannot be used.
        MissingExtra: TensorBoard is not installed.
    """
    given = locals()  # the arguments
    for name, check in ARGUMENTS.items():
        check(name, given[name])
    started, (rank, ranks) = time.perf_counter(), rank_and_world_size()
    seconds = {"judge": 0.0, "training": 0.0, "evaluation": 0.0}
    cache = Path(cache or cache_folder().parent)
    resume = None if resume is None else Path(resume)
    if resume is not None:
        latest_checkpoint(resume)  # before the judge is trained

    # ---- Images and networks
    device = choose_device(device)
    seed_everything(seed)
    if not isinstance(data, TrainingData):
        data = open_training_data(data, PixelOptions(size=default_size(str(data)), seed=seed, home=cache / "datasets"))
    yield from data.opened.events()
    description = describe(data.train, networks)
    options = resolve_options(options or default_options(description["architecture"]), description)
    check_networks(description)  # before the judge is trained
    if all(torch.equal(image, data.train.images[0]) for image in data.train.images):
        yield Note("All training images are equal. Use different ones.", "warning")
    if options.bfloat16:
        check_bfloat16(device)
    order = ShuffledBatches(len(data.train), batch, seed, rank=rank, ranks=ranks)

    # ---- Feature extractor and baselines, on rank 0
    evaluator: SampleEvaluation | None = None
    if rank == 0:
        begin = time.perf_counter()
        extractors = yield from open_extractors(
            evaluation.extractor,
            data.train,
            data.held_out,
            seed=seed,
            device=device,
            cache=cache,
            seen=description["arguments"].get("backbone"),
            labelled=bool(description["names"]),
        )
        judge = extractors.judge
        if judge is not None:
            yield Note(f"Judge: accuracy {percent(judge.accuracy)} on {count(judge.n, 'held-out image')}.")
        if len(data.held_out) < FEW_HELD_OUT:
            held_out = count(len(data.held_out), "held-out image")
            yield Note(f"Only {held_out} to compare with: metrics vary by chance. Use more images.", "warning")
        measured: dict[str, Any] = {"seed": seed, "by_class": bool(description["names"])}
        evaluator = extractors.evaluation(data.train, data.held_out, count=evaluation.samples, **measured)
        seconds["judge"] = time.perf_counter() - begin

    # ---- Initial weights, or those of a checkpoint
    barrier()  # rank 0 has trained the judge
    run = RunState(data, description, options, order, seed=seed, device=device, tune=autotune, mode=mode, resume=resume)
    total = epochs * order.batches_per_epoch
    monitor = AlarmMonitor(
        on_alarm,
        relative=run.gan.loss.relative,
        total_steps=total / options.discriminator.updates,
        augmented=options.diffaugment,
    )
    if rank:
        torch.manual_seed(seed + rank)  # of dropout
    if resume is not None:
        run.restore(monitor)
        last = -(-total // options.discriminator.updates) * options.discriminator.updates  # batch of the last step
        if order.position > last or (order.position >= total and run.best is None):
            raise BadSetting(
                f"The resumed run has done {run.epochs_done} epochs, and epochs counts them; got {epochs}. "
                f"Use {2 * run.epochs_done}."
            )
        yield Note(f"Resumed after step {run.gan.steps}.")
    if evaluator is not None:
        extractor_name = evaluator.extractor.name
        refused = [metric["name"] for metric in evaluator.certificate_values()["refused"]]
        yield TrainingStart(data, description, extractor_name, evaluator.count, evaluator.baselines, refused)

    # ---- Training: all ranks decide alike, from values of the global batch and from metrics of rank 0
    every = evaluation.every or max(1, epochs // EVALUATIONS)
    stride, stored = max(1, epochs // SHOWN), time.perf_counter()
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        curves = stack.enter_context(TensorBoardWriter(tensorboard if rank == 0 else None))
        while order.epoch < epochs and not monitor.stopped:
            begin, first = time.perf_counter(), order.position
            interval = max(1, order.batches_per_epoch // (LINES * options.discriminator.updates))
            for step in train_steps(run.gan, run.batches()):
                run.add(step)
                epoch_ended = order.epoch > run.epochs_done
                if step.index % interval == 0 or epoch_ended:
                    pace = (order.position - first) * batch / (time.perf_counter() - begin)
                    values = step.values()
                    yield _progress(values, min(order.position, total), total, step.index, pace)
                    curves.add(step.index, values)
                    epoch_ended = epoch_ended or not all(map(math.isfinite, values.values()))
                if epoch_ended:  # before Ctrl-C: a resumed epoch must not begin with this one's last step
                    break
                if any_rank(interrupts.wanted):
                    yield from run.checkpoint(monitor, keep=keep_checkpoints)
                    barrier()  # a rank that ends would end the others before the checkpoint is written
                    raise KeyboardInterrupt
            seconds["training"] += time.perf_counter() - begin
            warning = run.new_warning()
            if warning and rank == 0:
                yield Note(warning, "warning")

            # ---- End of the epoch: alarms, metrics, rollback, checkpoint
            begin = time.perf_counter()
            before, means = run.epochs_done, run.end_epoch()
            place = {"epoch": run.history[-1]["epoch"], "step": run.gan.steps}
            yield from monitor.check_steps(means, **place)
            ended = run.epochs_done >= epochs  # with several updates of D a step may end several epochs
            due = before == 0 or ended or before // stride < run.epochs_done // stride
            if not monitor.broken:
                if ended or before // every < run.epochs_done // every:
                    due = True
                    metrics = _measure(run, evaluator)
                    run.add_metrics(metrics)
                    curves.add(run.gan.steps, metrics.values)
                    yield from monitor.check_samples(metrics.ratios, best_coverage=run.best_coverage(), **place)
                if rank == 0 and due:
                    yield EpochEnd(run.epochs_done, run.gan.steps, run.history[-1], run.generator())
            yield from monitor.end_epoch(best=run.best["epoch"] if run.best else None)
            remedies = monitor.heal()
            rolled_back = monitor.takes_rollback()
            if rolled_back:
                run.roll_back(monitor)
                assert run.best is not None
                text = f"Rolled back to epoch {run.best['epoch']}; learning rates divided by {2**monitor.rollbacks}."
                yield Note(text, "warning")
            if remedies:
                run.take_remedies(monitor)
                yield Note(f"Healing: {' and '.join(remedies)}.", "warning")
            interrupted = any_rank(interrupts.wanted)
            due = due or rolled_back or bool(remedies) or monitor.stopped or interrupted
            if not monitor.broken and any_rank(due or time.perf_counter() - stored > UNSTORED):
                yield from run.checkpoint(monitor, keep=keep_checkpoints)
                stored = time.perf_counter()
            seconds["evaluation"] += time.perf_counter() - begin
            if interrupted:
                raise KeyboardInterrupt

    # ---- The best epoch, with more images, on rank 0
    if evaluator is None:
        return
    begin = time.perf_counter()
    generator = run.best_generator()
    final = extractors.evaluation(data.train, data.held_out, count=evaluation.final_samples, **measured)
    others = extractors.further(data.train, data.held_out, count=evaluation.final_samples, **measured)
    pixels = _images(run, generator, final)
    metrics = final.measure(pixels, final.labels, conditional=run.conditional)
    several = [(final, metrics), *((each, each.measure(pixels, each.labels, conditional=False)) for each in others)]
    seconds["evaluation"] += time.perf_counter() - begin
    description = {**description, "data": data.description, "seed": seed}
    description["epoch"] = run.best["epoch"] if run.best else run.epochs_done
    result: dict[str, Any] = {
        **evaluation_values(several, device),
        **_run_values(run, monitor, seconds),
        "loss": options.loss,
        "baselines_while_training": {"n": evaluator.count, **evaluator.baselines},
        "seconds": {**seconds, "total": time.perf_counter() - started},
    }
    yield TrainingEnd(generator, description, run.history, result["metrics"], result)


def check_training(data: TrainingData, **keywords: Any) -> None:
    """Raises what `train` with these arguments would raise before its first step.

    Raises:
        BadSetting, UnknownName: the settings are out of range, contradict each other, or do not fit these images.
    """
    for name, value in keywords.items():
        ARGUMENTS[name](name, value)
    description = describe(data.train, keywords.get("networks", NetworkOptions()))
    options = keywords.get("options") or default_options(description["architecture"])
    loss_of(resolve_options(options, description))
    ShuffledBatches(len(data.train), keywords.get("batch", BATCH), keywords.get("seed", 0))
    check_networks(description)


def _measure(run: RunState, evaluator: SampleEvaluation | None) -> SampleMetrics:
    """Metrics of the current EMA, computed on rank 0, the same on every rank."""
    metrics = None
    if evaluator is not None:
        pixels = _images(run, run.generator(), evaluator)
        metrics = asdict(evaluator.measure(pixels, evaluator.labels, conditional=run.conditional))
    return SampleMetrics(**broadcast_from_rank0(metrics))


def _images(run: RunState, generator: nn.Module, evaluator: SampleEvaluation) -> Tensor:
    """The generated images of an evaluation, (count, C, S, S) uint8."""
    latents = latents_of(EVALUATION_SEED + run.seed, evaluator.count, run.gan.latent_size)
    return generate_images(generator, latents, evaluator.labels)


def _progress(values: Mapping[str, float], done: int, total: int, step: int, pace: float) -> Progress:
    losses = f"D {values['discriminator_loss']:.3g} G {values['generator_loss']:.3g}"
    shown = {**values, "step": step, "images_per_second": pace}
    return Progress(
        "training", done, total, unit="batches", detail=f"{losses} {number(round(pace))} img/s", values=shown
    )


def _run_values(run: RunState, monitor: AlarmMonitor, seconds: Mapping[str, float]) -> dict[str, Any]:
    """What `result.json` says of the run itself."""
    spent = seconds["training"]
    share = seconds["evaluation"] / max(seconds["training"] + seconds["evaluation"], 1e-9)
    return {
        "architecture": run.description["architecture"],
        "parameters": trained_parameters(run.gan),
        "conditional": run.conditional,
        "epochs": run.epochs_done,
        "steps": run.gan.steps,
        "last_epoch": {name: run.history[-1][name] for name in VALUES} if run.history else None,
        "best": run.best,
        "alarms": monitor.alarms,
        "rollbacks": monitor.rollbacks,
        "healing": {"d_halvings": monitor.d_halvings, "diffaugment": monitor.diffaugment},
        "images_per_second": run.images_seen / spent if spent else None,
        "images_per_step": run.order.batch * run.gan.options.discriminator.updates,
        "steps_per_epoch": run.order.batches_per_epoch / run.gan.options.discriminator.updates,
        "processes": rank_and_world_size()[1],
        "choices": run.choice,
        "evaluation_share": share,
    }
