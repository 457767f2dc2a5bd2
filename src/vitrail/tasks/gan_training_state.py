"""Where a training stands: the game, the order of images, what was measured, the alarms, and the best so far."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from vitrail.datasets.pixels import PixelSet
from vitrail.distributed import broadcast_from_rank0, rank_and_world_size
from vitrail.errors import BadRun, BadSetting
from vitrail.events import Checkpoint, Event, Note
from vitrail.gan_training.alarms import Alarm, game_alarms, sample_alarms
from vitrail.gan_training.checkpoints import for_rank, merge_ranks, pack, unpack
from vitrail.gan_training.ema import recalibrate_batch_norm
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.sampling import calibration_batches, generate_images, latents_of
from vitrail.gan_training.state import select_prefix
from vitrail.gan_training.steps import GanStep
from vitrail.images import to_signed_range, to_unit
from vitrail.runs import json_safe
from vitrail.tasks.gan_evaluation import Evaluation, Measured
from vitrail.tasks.gan_players import REFERENCE, begun
from vitrail.tensors import Condition, SignedImages

if TYPE_CHECKING:
    from vitrail.tasks.gan_train import GanTrain

FIGURES = tuple(field.name for field in fields(GanStep) if field.name != "index")
SAMPLED = 1_000_000  # seeds from here on are those of measured images; what `gan sample` shows begins at 0

GRACE = 500
"""Steps, or a fifth of all if that is less, before samples or a strong D alarm: all begin badly."""

ROLLBACKS = 3  # then the run stops
MEASUREMENTS = 20  # in a run


class Training:
    """A game on some images, and all that is known of it.

    Attributes:
        history: an entry an epoch: mean figures of its steps, and what was measured.
        alarms: as in `result.json`.
        stopped: whether an alarm has ended the training.
        seconds: that training and evaluation took.
    """

    def __init__(
        self, task: GanTrain, train: PixelSet, about: dict[str, Any], order: ShuffledBatches, device: str
    ) -> None:
        self.task, self.train, self.about, self.order = task, train, about, order
        self.device = torch.device(device)
        self.history: list[dict[str, Any]] = []
        self.alarms: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.rollbacks, self.stopped, self.epochs_done = 0, False, 0
        self.seconds: dict[str, float] = {"training": 0.0, "evaluation": 0.0}
        self._best_state: dict[str, Tensor] = {}
        self._kept: list[str] = []
        self._sums, self._steps, self._seen = torch.zeros(len(FIGURES), dtype=torch.float64), 0, 0
        self._raised: list[Alarm] = []
        self._settled: tuple[int, nn.Module] | None = None
        self._begin(None if task.resume is None else REFERENCE)

    @property
    def conditional(self) -> bool:
        """Whether the generator is told what to make."""
        return bool(self.about["names"])

    def batches(self) -> Iterator[tuple[SignedImages, Condition]]:
        """Batches as `play` takes them, from where the order stands."""
        for rows in self.order:
            self._seen += len(rows) * rank_and_world_size()[1]
            yield self._batch(rows)

    def add(self, step: GanStep) -> None:
        """Counts one step's figures towards the epoch's means."""
        values = torch.stack([getattr(step, name).double() for name in FIGURES])
        self._sums += values.cpu()
        self._steps += 1

    def end_epoch(self) -> dict[str, float]:
        """The means of the epoch's figures, which begin anew."""
        each = broadcast_from_rank0((self._sums / max(self._steps, 1)).tolist())
        means = dict(zip(FIGURES, each, strict=True))
        self._sums, self._steps = torch.zeros(len(FIGURES), dtype=torch.float64), 0
        self.epochs_done = self.order.epoch
        self.history.append({"epoch": self.epochs_done, "step": self.state.steps, **json_safe(means)})
        self._raised = []
        return means

    def is_measured(self) -> bool:
        """Whether samples are measured after this epoch: every so often, and after the last."""
        every = self.task.evaluate_every or max(1, self.task.epochs // MEASUREMENTS)
        return self.epochs_done % every == 0 or self.epochs_done >= self.task.epochs

    @property
    def broken(self) -> bool:
        """Whether the game is no longer one of numbers."""
        return any(alarm.name == "nan" for alarm in self._raised)

    def measure(self, evaluation: Evaluation | None) -> Measured:
        """Samples of the moving average, as they are now; the best state so far is remembered.

        Args:
            evaluation: None on ranks after the first, which are told what that one found.
        """
        found = Measured(**broadcast_from_rank0(None if evaluation is None else asdict(self._measured(evaluation))))
        agrees = {} if found.label_agreement is None else {"label_agreement": found.label_agreement}
        covers = {"coverage_share": found.shares["coverage"]} if "coverage" in found.shares else {}
        self.history[-1] |= {**found.values, **covers, **agrees}
        distance = found.values["frechet-distance"]
        if self.best is None or distance < self.best["frechet-distance"]:
            self.best = {"epoch": self.epochs_done, "step": self.state.steps, "frechet-distance": distance}
            self._best_state = self.state.state()
        return found

    def watch_game(self, means: dict[str, float]) -> Iterator[Event]:
        """Says what the epoch's figures show; a game that is no longer one of numbers is over at once."""
        for alarm in game_alarms([means], relative=self.state.loss.relative):
            if alarm.name == "nan" or not self._young():
                yield self._raise(alarm)
        if self.broken and self.task.on_alarm == "warn":
            self.stopped = True

    def watch_samples(self, measured: Measured) -> Iterator[Event]:
        """Says what the samples show."""
        if not self._young():
            for alarm in sample_alarms(measured.shares, best_coverage=self._best_coverage()):
                yield self._raise(alarm)
        if self._raised and self.task.on_alarm == "stop":
            self.stopped = True

    def rolled_back(self) -> Iterator[Event]:
        """After an alarm, if it was asked for: back to the best state, at half the rates and with other draws."""
        if self._raised and self.task.on_alarm == "stop":
            self.stopped = True
        if not self._raised or self.task.on_alarm != "rollback":
            return
        if self.rollbacks == ROLLBACKS or not self._best_state:
            self.stopped = True
            yield Note(f"Rolled back {self.rollbacks} times; the training ends here.")
            return
        self.rollbacks += 1
        assert self.best is not None
        self.state.restore(self._best_state)
        self._settled, self._raised = None, []
        self._kept = [name for name in self._kept if name <= _file_name(self.state.steps)]  # the later ones are undone
        self._slow_down()
        self.state.draws.manual_seed(self.task.seed + 1_000_003 * self.rollbacks)
        yield Note(f"Rolled back to epoch {self.best['epoch']}, at rates divided by {2**self.rollbacks}.")

    def checkpoint(self) -> Iterator[Checkpoint]:
        """All that going on needs."""
        name = _file_name(self.state.steps)
        recent = [old for old in self._kept if old != name][-(self.task.keep - 1) :] if self.task.keep > 1 else []
        best = [] if self.best is None else [_file_name(self.best["step"])]
        self._kept = list(dict.fromkeys([*best, *recent, name]))
        tensors = {**merge_ranks(self.state.state()), "figures": self._sums}
        if rank_and_world_size()[0] == 0:
            yield self._file(name, tensors, self._kept)

    def restore(self, tensors: dict[str, Tensor], about: dict[str, Any], run: Path) -> None:
        """Goes to where a checkpoint stands.

        Raises:
            BadRun, BadSetting: it is of other players or images, or cannot be read.
        """
        if about["players"] != self.about or about["images"] != self.train.sha256:
            what = "images" if about["players"] == self.about else "players"
            raise BadRun(f"The checkpoint in '{run}' is of a game with other {what} than there are now; train anew.")
        here, then = rank_and_world_size()[1], about.get("processes", 1)
        if here != then:
            raise BadRun(f"The training in '{run}' is the work of {then} processes, not of {here}; {then} can go on.")
        self._begin(about["choices"])
        self.rollbacks = about["rollbacks"]
        self._sums, self._steps = tensors["figures"], about["steps_of_epoch"]
        self.state.restore(for_rank(tensors))
        self._slow_down()
        self.order.position, self.epochs_done = about["position"], about["epochs_done"]
        self.history, self.alarms, self.best = about["history"], about["alarms"], about["best"]
        self._kept = about["kept"]
        if self.best is not None:
            file = run / "checkpoints" / _file_name(self.best["step"])
            is_last = self.best["step"] == self.state.steps
            self._best_state = self.state.state() if is_last else for_rank(unpack(file)[0])

    def settled(self) -> nn.Module:
        """A copy of the moving average with statistics of its own; made once a step, however often it is asked for."""
        if self._settled is None or self._settled[0] != self.state.steps:
            self._settled = self.state.steps, self._settle(copy.deepcopy(self.state.ema.network))
        return self._settled[1]

    def best_generator(self) -> nn.Module:
        """The moving average of the best state.

        Raises:
            BadSetting: the game broke down before there was one.
        """
        if not self._best_state:
            raise BadSetting(
                f"The game broke down in epoch {self.epochs_done + 1}, before anything could be kept: its losses are "
                f"no longer numbers; --rate {self.task.rate / 10:g} may work."
            )
        network = copy.deepcopy(self.state.ema.network)
        network.load_state_dict(select_prefix("average", self._best_state))
        return self._settle(network)

    def images(self, generator: nn.Module, evaluation: Evaluation) -> Tensor:
        """The images that an evaluation measures, (count, C, S, S) uint8."""
        latents = latents_of(SAMPLED + self.task.seed, evaluation.count, self.state.latent_size)
        return generate_images(generator, latents, evaluation.labels)

    def took(self, part: str, seconds: float) -> None:
        """Adds to `seconds`."""
        self.seconds[part] += seconds

    def figures(self) -> dict[str, Any]:
        """What `result.json` says of the training."""
        spent = self.seconds["training"]
        return {
            "architecture": self.about["architecture"],
            "loss": self.task.loss,
            "conditional": self.conditional,
            "epochs": self.epochs_done,
            "steps": self.state.steps,
            "last_epoch": {name: self.history[-1][name] for name in FIGURES} if self.history else None,
            "best": self.best,
            "alarms": self.alarms,
            "rollbacks": self.rollbacks,
            "images_per_second": self._seen / spent if spent else None,
            "processes": rank_and_world_size()[1],
            "choices": self.choices,
            "evaluation_share": self.seconds["evaluation"] / max(sum(self.seconds.values()), 1e-9),
        }

    def _begin(self, choices: dict[str, Any] | None) -> None:
        """A new game, in the way that was chosen before, or in the one that is quickest here."""
        share = self._batch(torch.arange(self.task.batch // rank_and_world_size()[1]) % len(self.train))
        self.state, self.choices = begun(self.task, self.about, share, choices)

    def _batch(self, rows: Tensor) -> tuple[SignedImages, Condition]:
        images = to_signed_range(to_unit(self.train.images[rows]))
        return images.to(self.device), self.train.labels[rows].to(self.device)

    def _settle(self, network: nn.Module) -> nn.Module:
        labels = self.train.labels if self.conditional else torch.zeros(1, dtype=torch.long)
        recalibrate_batch_norm(network, calibration_batches(labels, self.state.latent_size, self.device))
        return network

    def _measured(self, evaluation: Evaluation) -> Measured:
        pixels = self.images(self.settled(), evaluation)
        return evaluation.measure(pixels, evaluation.labels, conditional=self.conditional)

    def _best_coverage(self) -> float:
        """The highest share of the real images' so far, this epoch's left out."""
        floors = [entry["coverage_share"] for entry in self.history[:-1] if "coverage_share" in entry]
        return max(floors, default=0.0)

    def _young(self) -> bool:
        total = self.task.epochs * self.order.batches_per_epoch / self.task.turns[0]
        return self.state.steps < min(GRACE, total / 5)

    def _raise(self, alarm: Alarm) -> Note:
        self._raised.append(alarm)
        value = alarm.value if math.isfinite(alarm.value) else None
        self.alarms.append({**asdict(alarm), "value": value, "epoch": self.epochs_done, "step": self.state.steps})
        return Note(f"Alarm ({alarm.name}, epoch {self.epochs_done}): {alarm.text} The limit is {alarm.threshold:g}.")

    def _slow_down(self) -> None:
        for player, adam in self.state.adams.items():
            for group in adam.param_groups:
                group["lr"] = getattr(self.state.options, player).rate / 2**self.rollbacks

    def _file(self, name: str, tensors: dict[str, Tensor], kept: list[str]) -> Checkpoint:
        about = {
            "players": self.about,
            "images": self.train.sha256,
            "processes": rank_and_world_size()[1],
            "choices": self.choices,
            "position": self.order.position,
            "epochs_done": self.epochs_done,
            "steps_of_epoch": self._steps,
            "history": self.history,
            "alarms": self.alarms,
            "best": self.best,
            "rollbacks": self.rollbacks,
            "kept": kept,
        }
        return Checkpoint(name, pack(tensors, about), tuple(kept))


def _file_name(step: int) -> str:
    return f"step-{step:08d}.safetensors"
