"""State of a training run: networks, position in the data, history and best epoch; all that a checkpoint stores."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vitrail.datasets.pixels import PixelSet
from vitrail.devices import copy_unwaited
from vitrail.distributed import broadcast_from_rank0, rank_and_world_size
from vitrail.errors import BadRun, BadSetting
from vitrail.events import Checkpoint
from vitrail.gan.alarm_monitor import AlarmMonitor
from vitrail.gan.checkpoints import Modes, file_name, latest_checkpoint, read_checkpoint, retained_names
from vitrail.gan.networks import initialise, without_graph
from vitrail.gan.training_data import TrainingData, differences
from vitrail.gan_training.checkpoints import for_rank, merge_ranks, pack, unpack
from vitrail.gan_training.ema import recalibrate_batch_norm
from vitrail.gan_training.sampler import ShuffledBatches
from vitrail.gan_training.sampling import calibration_batches
from vitrail.gan_training.state import TrainingOptions, select_prefix
from vitrail.gan_training.steps import VALUES, GanStep
from vitrail.image_files import display_name
from vitrail.images import to_signed_range, to_unit
from vitrail.metrics.sample_evaluation import SampleMetrics
from vitrail.run_writer import json_safe
from vitrail.tensors import Condition, SignedImages

RESIDENT = 2**31  # bytes of images that are held on a GPU at most


class RunState:
    """The state of a run, new or from a checkpoint.

    Args:
        data: the images.
        description: of the networks, see `gan.networks.describe`.
        order: the batches of this rank.
        tune: whether the fastest training mode is determined by timing; not of a resumed run, which has its own.
        mode: that of a run that is repeated; None: by `tune`.
        resume: the run folder whose latest checkpoint is restored by `restore`.

    Attributes:
        gan: networks, optimisers, EMA and random numbers.
        choice: the training mode, see `gan.networks.initialise`.
        history: of each epoch the means of its steps, and its metrics if it was evaluated.
        best: epoch, step and Fréchet distance of the best epoch; None before the first evaluation.
        epochs_done: number of completed epochs.
        images_seen: number of images in the batches of all ranks, since this process began.
    """

    def __init__(
        self,
        data: TrainingData,
        description: Mapping[str, Any],
        options: TrainingOptions,
        order: ShuffledBatches,
        *,
        seed: int,
        device: str,
        tune: bool,
        mode: Modes | None = None,
        resume: Path | None = None,
    ) -> None:
        self.data, self.description, self.order, self.seed = data, dict(description), order, seed
        self.device = torch.device(device)
        self.history: list[dict[str, Any]] = []
        self.best: dict[str, Any] | None = None
        self.epochs_done, self.images_seen = 0, 0
        self._best_state: dict[str, Tensor] = {}
        self._retained: list[str] = []
        self._sums, self._steps = torch.zeros(len(VALUES), dtype=torch.float64), 0
        self._rows: list[Tensor] = []  # values of the steps that are not in the sums yet
        self._ema: tuple[int, nn.Module] | None = None
        self._resume, self._warned = resume, False
        self._pixels = self._on_device(data.train.images)
        self._checkpoint = None if resume is None else self._read(resume)
        choice = None if mode is None else {**mode.model_dump(), "reason": "that of the repeated run"}
        if self._checkpoint is not None:
            choice = self._checkpoint[1]["choices"]
        batch = self._batch(torch.arange(order.batch // rank_and_world_size()[1]) % len(self.train))
        self.gan, self.choice = initialise(description, options, batch, seed=seed, tune=tune, choice=choice)

    @property
    def train(self) -> PixelSet:
        """The training images."""
        return self.data.train

    @property
    def conditional(self) -> bool:
        """Whether the generator is conditional."""
        return bool(self.description["names"])

    def batches(self) -> Iterator[tuple[SignedImages, Condition]]:
        """Batches for `train_steps`, from the current position."""
        for rows in self.order:
            self.images_seen += len(rows) * rank_and_world_size()[1]
            yield self._batch(rows)

    def add(self, step: GanStep) -> None:
        """Adds the values of a step to the epoch's means."""
        self._rows.append(step.row())
        self._steps += 1

    def _sum_up(self) -> None:
        """Adds what came since the last time; row by row, so that it does not matter when."""
        for row in torch.stack(self._rows).cpu().double() if self._rows else []:
            self._sums += row
        self._rows.clear()

    def end_epoch(self) -> dict[str, float]:
        """Ends the epoch, or breaks it off: an entry in the history; the means of its steps."""
        self._sum_up()
        each = broadcast_from_rank0((self._sums / max(self._steps, 1)).tolist())
        means = dict(zip(VALUES, each, strict=True))
        self._sums, self._steps = torch.zeros(len(VALUES), dtype=torch.float64), 0
        broken_off = self.order.epoch == self.epochs_done
        self.epochs_done = self.order.epoch
        self.history.append({"epoch": self.epochs_done + broken_off, "step": self.gan.steps, **json_safe(means)})
        return means

    def add_metrics(self, metrics: SampleMetrics) -> None:
        """Adds metrics to the epoch's entry; keeps the state if it is the best so far."""
        agreement = {} if metrics.label_agreement is None else {"label_agreement": metrics.label_agreement}
        ratios = metrics.ratios
        coverage = {"coverage_ratio": ratios["coverage"]} if "coverage" in ratios else {}
        self.history[-1] |= {**metrics.values, **coverage, **agreement}
        distance = metrics.values["frechet-distance"]
        if self.best is None or distance < self.best["frechet-distance"]:
            self.best = {"epoch": self.epochs_done, "step": self.gan.steps, "frechet-distance": distance}
            self._best_state = self.gan.state()

    def best_coverage(self) -> float:
        """The highest ratio of coverage to its baseline in earlier epochs."""
        return max((entry["coverage_ratio"] for entry in self.history[:-1] if "coverage_ratio" in entry), default=0.0)

    def generator(self) -> nn.Module:
        """A copy of the EMA with recalibrated batch normalisation; computed once a step."""
        if self._ema is None or self._ema[0] != self.gan.steps:
            self._ema = self.gan.steps, self._recalibrated(copy.deepcopy(self.gan.ema.network))
        return self._ema[1]

    def best_generator(self) -> nn.Module:
        """The same of the best epoch.

        Raises:
            BadSetting: the training failed before the first evaluation.
        """
        if not self._best_state:
            rate = self.gan.options.generator.learning_rate
            raise BadSetting(
                f"The training failed in epoch {self.epochs_done + 1}, before any generator could be stored: a loss is "
                f"NaN. Use --learning-rate {rate / 10:g}."
            )
        network = copy.deepcopy(self.gan.ema.network)
        network.load_state_dict(select_prefix("ema", self._best_state))
        return self._recalibrated(network)

    def roll_back(self, monitor: AlarmMonitor) -> None:
        """Restores the best epoch, with the learning rates halved once more and new random numbers."""
        self.gan.restore(self._best_state)
        self._ema = None
        self._retained = [name for name in self._retained if name <= file_name(self.gan.steps)]  # later ones are undone
        self.take_remedies(monitor)
        self.gan.draws.manual_seed(self.seed + 1_000_003 * monitor.rollbacks)

    def take_remedies(self, monitor: AlarmMonitor) -> None:
        """Sets learning rates and augmentation to what rollbacks and healing have left."""
        halvings = {"generator": monitor.rollbacks, "discriminator": monitor.rollbacks + monitor.d_halvings}
        for network, adam in self.gan.adams.items():
            for group in adam.param_groups:
                group["lr"] = getattr(self.gan.options, network).learning_rate / 2 ** halvings[network]
        if monitor.diffaugment and not self.gan.options.diffaugment:
            self.gan.options = replace(self.gan.options, diffaugment=True)
            if self.gan.graph is not None:  # it was captured without
                self.gan.graph.clear()

    def new_warning(self) -> str:
        """Why the step runs without the graph that was tried; empty where it was given before, or nothing failed."""
        failure = self.gan.graph.failure if self.gan.graph else ""
        if failure:
            self.choice.setdefault("warning", without_graph(failure))
        text = "" if self._warned else str(self.choice.get("warning", ""))
        self._warned = self._warned or bool(text)
        return text

    def checkpoint(self, monitor: AlarmMonitor, *, keep: int) -> Iterator[Checkpoint]:
        """A checkpoint; collective, yields on rank 0 only.

        Args:
            keep: number of latest checkpoints to retain beside the best.
        """
        name = file_name(self.gan.steps)
        best = None if self.best is None else file_name(self.best["step"])
        self._retained = retained_names(self._retained, name, best=best, count=keep)
        self._sum_up()
        tensors = {**merge_ranks(self.gan.state()), "values": self._sums}
        if rank_and_world_size()[0] == 0:
            header = {
                "networks": self.description,
                "data": self.data.description,
                "seed": self.seed,
                "processes": rank_and_world_size()[1],
                "choices": self.choice,
                "position": self.order.position,
                "epochs_done": self.epochs_done,
                "step_in_epoch": self._steps,
                "history": self.history,
                "alarms": monitor.alarms,
                "best": self.best,
                "rollbacks": monitor.rollbacks,
                "healing": {"d_halvings": monitor.d_halvings, "diffaugment": monitor.diffaugment},
                "retained": self._retained,
                "stopped": monitor.stop,
            }
            yield Checkpoint(name, pack(tensors, header), tuple(self._retained))

    def restore(self, monitor: AlarmMonitor) -> None:
        """Restores the checkpoint of the resumed run, bit-identically on a CPU.

        Raises:
            BadSetting: its tensors do not fit the networks.
        """
        assert self._checkpoint is not None
        assert self._resume is not None
        tensors, header = self._checkpoint
        self._checkpoint = None
        monitor.alarms, monitor.rollbacks = header["alarms"], header["rollbacks"]
        monitor.restore_stop(header.get("stopped"))
        healing = header.get("healing", {})  # checkpoints of before have none
        monitor.d_halvings, monitor.diffaugment = healing.get("d_halvings", 0), healing.get("diffaugment", False)
        self._sums, self._steps = tensors["values"], header["step_in_epoch"]
        self.gan.restore(for_rank(tensors))
        self.take_remedies(monitor)
        self.order.position, self.epochs_done = header["position"], header["epochs_done"]
        self.history, self.best, self._retained = header["history"], header["best"], header["retained"]
        if self.best is not None:
            file = self._resume / "checkpoints" / file_name(self.best["step"])
            is_last = self.best["step"] == self.gan.steps
            self._best_state = self.gan.state() if is_last else for_rank(unpack(file)[0])

    def _read(self, run: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """The latest checkpoint.

        Raises:
            BadRun: there is none, it is damaged, or it is of other networks, images or numbers of processes.
        """
        tensors, header = read_checkpoint(latest_checkpoint(run), values=len(VALUES))
        self._check_images(run, header["data"]["sha256"])  # first: networks of other images differ in their condition
        if header["networks"] != self.description:
            raise BadRun(f"The checkpoint in '{display_name(run)}' belongs to other networks. Use a new run.")
        here, there = rank_and_world_size()[1], header["processes"]
        if here != there:
            raise BadRun(
                f"The run in '{display_name(run)}' was trained with {there} processes, not with {here}. Use {there}."
            )
        return tensors, header

    def _check_images(self, run: Path, trained_on: str) -> None:
        """Raises `BadRun` where the images are not those of the run: to train on others is another run."""
        differ = differences(run, self.data, trained_on)
        if differ is not None:
            raise BadRun(
                f"The images in '{display_name(self.data.source)}' are not those of the run in '{display_name(run)}'"
                f"{differ}. Use those, or train a new run."
            )

    def _batch(self, rows: Tensor) -> tuple[SignedImages, Condition]:
        images = to_signed_range(to_unit(self._pixels[copy_unwaited(rows, self._pixels.device)]))
        return images.to(self.device), copy_unwaited(self.train.labels[rows], self.device)

    def _on_device(self, images: Tensor) -> Tensor:
        """The images where batches are taken from: on a GPU if they are few enough; then no step waits for a copy."""
        return images.to(self.device) if self.device.type == "cuda" and images.nbytes <= RESIDENT else images

    def _recalibrated(self, network: nn.Module) -> nn.Module:
        labels = self.train.labels if self.conditional else torch.zeros(1, dtype=torch.long)
        recalibrate_batch_norm(network, calibration_batches(labels, self.gan.latent_size, self.device))
        return network
