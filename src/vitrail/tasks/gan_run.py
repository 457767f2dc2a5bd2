"""One training from the first step to the last figure; and from a checkpoint on."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from vitrail.datasets.open_pixels import Opened, Wish, open_pixels
from vitrail.datasets.pixels import PixelSet
from vitrail.devices import choose_device, seed_everything
from vitrail.distributed import any_rank, barrier, rank_and_world_size
from vitrail.errors import BadRun
from vitrail.events import Event, Note, Progress, Result
from vitrail.gan_training.checkpoints import unpack
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.steps import train_steps
from vitrail.interrupts import Interrupts
from vitrail.tasks.gan_curves import Curves
from vitrail.tasks.gan_encoders import encoded
from vitrail.tasks.gan_evaluation import Evaluation, Measured
from vitrail.tasks.gan_players import described, size_of
from vitrail.tasks.gan_readers import JudgeReader, open_reader
from vitrail.tasks.gan_report import Report
from vitrail.tasks.gan_training_state import Training

if TYPE_CHECKING:
    from vitrail.tasks.gan_train import GanTrain

LINES = 20  # of progress an epoch


def run(task: GanTrain, opened: Opened | None = None) -> Iterator[Event]:
    """See `GanTrain.run`.

    Of several processes (`together`) the first one measures, draws and keeps; the others train along on what it found.

    Args:
        opened: what `wish_of(task)` gives, if somebody has it already.
    """
    started, (rank, ranks) = time.perf_counter(), rank_and_world_size()
    device = choose_device(task.device)
    seed_everything(task.seed)
    opened = opened or _opened(task)
    for note in opened.notes:
        yield Note(note)
    about = described(task, opened.train)
    order = ShuffledBatches(len(opened.train), task.batch, task.seed, rank=rank, ranks=ranks)
    if rank > 0:
        training = yield from _begun(task, opened.train, about, order, device)
        yield from _trained(training)
        return
    began = time.perf_counter()
    reader = yield from open_reader(
        task.measure, opened.train, opened.held_out, seed=task.seed, device=device, cache=task.cache / "judges"
    )
    if isinstance(reader, JudgeReader):
        yield Note(f"Judge: {reader.accuracy:.2%} right on {reader.n} real images that it had not seen.")
    evaluation = Evaluation(reader, opened.train, opened.held_out, count=task.samples, seed=task.seed)
    judged = time.perf_counter() - began
    training = yield from _begun(task, opened.train, about, order, device)
    report = Report(training, opened, evaluation)
    yield from report.start()
    yield from _trained(training, report, evaluation)
    final = Evaluation(reader, opened.train, opened.held_out, count=task.final_samples, seed=task.seed)
    measured = yield from _finish(training, report, final)
    encoder = yield from encoded(training, opened)
    seconds = {"judge": judged, **training.seconds, "total": time.perf_counter() - started}
    yield Result(
        {
            "backbone": [{"name": reader.name, "sha256": reader.weights_sha256}],
            "device": device,
            "skipped": [{"file": "", "reason": note} for note in opened.skipped],
            "judge": reader.figures() if isinstance(reader, JudgeReader) else None,
            "metrics": final.named(measured),
            "label_agreement": measured.label_agreement,
            "label_agreement_per_name": measured.per_name,
            **training.figures(),
            "floors_while_training": {"n": evaluation.count, **evaluation.floors},
            "encoder": encoder,
            "data": {"train": len(opened.train), "held_out": len(opened.held_out), "names": list(opened.train.names)},
            "seconds": seconds,
        }
    )


def _opened(task: GanTrain) -> Opened:
    """The images; what has to be fetched or unpacked for them is fetched once, by the first process."""
    rank, wish = rank_and_world_size()[0], wish_of(task)
    opened = open_pixels(task.data, wish) if rank == 0 else None
    barrier()
    return opened or open_pixels(task.data, wish)


def _begun(
    task: GanTrain, train: PixelSet, about: dict[str, Any], order: ShuffledBatches, device: str
) -> Generator[Event, None, Training]:
    """The training where it begins, or where it is gone on with; of several processes, all begin at once."""
    barrier()  # the first one had to make its judge
    training = Training(task, train, about, order, device)
    if rank := rank_and_world_size()[0]:
        torch.manual_seed(task.seed + rank)  # dropout's
    if task.resume is not None:
        training.restore(*unpack(latest(task.resume)), task.resume)
        yield Note(f"Goes on after step {training.state.steps}.")
    return training


def latest(run: Path) -> Path:
    """The last checkpoint of a run.

    Raises:
        BadRun: there is none.
    """
    found = sorted((run / "checkpoints").glob("step-*.safetensors"))
    if not found:
        raise BadRun(f"'{run}' holds no checkpoint; a run of `vitrail gan train` that got through an epoch would work.")
    return found[-1]


def wish_of(task: GanTrain) -> Wish:
    """How a training wants its images."""
    return Wish(
        size=size_of(task),
        labels=task.labels,
        attributes=task.attributes,
        images=task.images,
        held_out=task.held_out,
        seed=task.seed,
        home=task.cache / "datasets",
        download=task.download,
    )


def _trained(training: Training, report: Report | None = None, evaluation: Evaluation | None = None) -> Iterator[Event]:
    """Plays until the epochs are done, an alarm ends it, or Ctrl-C is pressed.

    All decisions are those of every process: they follow from figures of the joined batch, and from what the first one
    measures, which alone has a report and an evaluation.
    """
    task, state, order = training.task, training.state, training.order
    with ExitStack() as stack:
        interrupts = stack.enter_context(Interrupts())
        curves = stack.enter_context(Curves(task.tensorboard if report else None))
        while order.epoch < task.epochs and not training.stopped:
            began, seen = time.perf_counter(), order.position
            lines = max(1, order.batches_per_epoch // (LINES * task.turns[0]))
            for step in train_steps(state, training.batches()):
                training.add(step)
                over = order.epoch > training.epochs_done
                if step.index % lines == 0 or over:
                    pace = (order.position - seen) * task.batch / (time.perf_counter() - began)
                    figures = step.figures()
                    yield _progress(training, figures, pace)
                    curves.add(step.index, figures)
                    over = over or not all(map(math.isfinite, figures.values()))
                if over:  # before Ctrl-C: an epoch that is over is ended, or the next one would have its last step
                    break
                if any_rank(interrupts.wanted):
                    yield from training.checkpoint()
                    barrier()  # who ends before it is kept has the others ended, too
                    raise KeyboardInterrupt
            training.took("training", time.perf_counter() - began)
            began = time.perf_counter()
            yield from _end_epoch(training, report, evaluation, curves)
            training.took("evaluation", time.perf_counter() - began)
            if any_rank(interrupts.wanted) and order.epoch < task.epochs:
                raise KeyboardInterrupt


def _end_epoch(
    training: Training, report: Report | None, evaluation: Evaluation | None, curves: Curves
) -> Iterator[Event]:
    """What the epoch's figures and samples show, and what is done about it."""
    yield from training.watch_game(training.end_epoch())
    if not training.broken:
        if training.is_measured():
            measured = training.measure(evaluation)
            curves.add(training.state.steps, measured.values)
            yield from training.watch_samples(measured)
        if report:
            yield from report.epoch()
    yield from training.rolled_back()
    if not training.broken:
        yield from training.checkpoint()


def _progress(training: Training, figures: dict[str, float], pace: float) -> Progress:
    detail = (
        f"D {figures['discriminator_loss']:.3f}, G {figures['generator_loss']:.3f}, D(x) {figures['real']:.2f}, "
        f"D(G(z)) {figures['d_fake_before_g']:.2f} / {figures['d_fake_after_g']:.2f}, {pace:.0f} images/s"
    )
    done, total = training.order.position, training.task.epochs * training.order.batches_per_epoch
    shown = {**figures, "step": training.state.steps, "images_per_second": pace}
    return Progress("training", min(done, total), total, unit="batches", detail=detail, values=shown)


def _finish(training: Training, report: Report, final: Evaluation) -> Generator[Event, None, Measured]:
    """The best generator of the run, measured once more on as many images as there are, and kept."""
    began = time.perf_counter()
    generator = training.best_generator()
    pixels = training.images(generator, final)
    measured = final.measure(pixels, final.labels, conditional=training.conditional)
    training.took("evaluation", time.perf_counter() - began)
    yield from report.finish(generator, measured, final)
    return measured
