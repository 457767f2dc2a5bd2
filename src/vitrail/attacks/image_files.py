"""Attacks on image files of any size; success is measured on the PNG file of the result."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue

import torch
from torch import Tensor

from vitrail.attacks.attack import method_options
from vitrail.attacks.criterion import Criterion
from vitrail.attacks.file_part import FilePart
from vitrail.attacks.file_result import AttackPreview, ClassEntry, FileAttackResult
from vitrail.attacks.gradient_ascent import UNIT
from vitrail.attacks.norms import NormName
from vitrail.attacks.pixel_blocks import PixelBlocks, block_side
from vitrail.attacks.pixel_distances import distances
from vitrail.attacks.preprocessing import classify_as_saved, on_block_means, with_preprocessing
from vitrail.attacks.quantise import quantise_result
from vitrail.attacks.result import AttackResult
from vitrail.attacks.sized_batches import SizedBatch, sized_batches
from vitrail.attacks.table import ATTACKS, DEFAULT_ATTACK
from vitrail.backbones.backbone import Backbone
from vitrail.backbones.network import Network
from vitrail.class_names import class_choices
from vitrail.devices import to_float64
from vitrail.errors import BadSetting
from vitrail.events import Progress
from vitrail.image_ascent import (
    MEMORY,
    NetworkTraffic,
    Watch,
    check_finite,
    in_workers,
    max_batch_size,
    shared_copy,
    worker_count,
)
from vitrail.images import read_pixels, to_bytes, to_hwc, to_unit
from vitrail.plots.encode import encode_png
from vitrail.tensors import Logits, Pixels

ANY = "any"  # in place of a target: any class but the predicted one
NEEDS_EPSILON = ("fgsm", "pgd", "apgd")
OWN_NORM: dict[str, NormName] = {"minimal-l2": "l2", "carlini-wagner": "l2", "minimal-linf": "linf"}
PROGRESS_EVERY = 2.0  # seconds, while an image is attacked


class FileAttack:
    """An attack on image files, with a network and its preprocessing.

    Args:
        files: the images, of any size.
        targets: class names or numbers, one for all files or one per file; `any`: untargeted.
        method: a name in `ATTACKS`.
        norm: what epsilon limits, of methods that know both norms.
        epsilon: largest norm of the perturbation, in pixel intensity; None: no limit.
        confidence: required margin, in logits.
        steps: at most; None: the method's own number.
        step_size: of gradient-ascent in normalised units (1 is 0.226 in intensity), of pgd as a share of epsilon; None:
            the method's own.
        seed: of random starts.
        memory: bytes, for all that is attacked at once. An image too large for it is attacked in blocks of pixels, see
            `pixel_blocks`.
        preview_every: seconds between previews of a batch of one image; None: none.

    Raises:
        UnknownName: no such method, or a target that is no class of the network.
        BadSetting: another number of targets than of files, or epsilon is missing.
    """

    def __init__(
        self,
        network: Network,
        files: Sequence[Path],
        *,
        targets: Sequence[str] = (f"@{ANY}",),
        method: str = DEFAULT_ATTACK,
        norm: NormName = "linf",
        epsilon: float | None = None,
        confidence: float = 0.0,
        steps: int | None = None,
        step_size: float | None = None,
        seed: int = 0,
        memory: int = MEMORY,
        preview_every: float | None = None,
    ) -> None:
        if method in NEEDS_EPSILON and epsilon is None:
            raise BadSetting(f"{method} needs an epsilon. Use e.g. --epsilon 2/255.")
        length = step_size * UNIT if step_size is not None and method == "gradient-ascent" else step_size
        self._options = method_options(method, norm=norm, epsilon=epsilon, steps=steps, step_size=length, seed=seed)
        self._network, self._files, self._method = network, files, method
        self._norm: NormName = norm
        self._epsilon, self._confidence, self._memory, self._preview_every = epsilon, confidence, memory, preview_every
        indices = class_choices(network.classes, targets, otherwise=ANY)
        if len(indices) not in (1, len(files)):
            raise BadSetting(f"{len(indices)} targets were given for {len(files)} images. Use one, or one per image.")
        if None in indices and len(indices) > 1:
            raise BadSetting("'any' was given among other targets. Use a class for each image, or 'any' alone.")
        self._targets = dict(zip(files, indices if len(indices) > 1 else indices * len(files), strict=True))
        self._workers = self._worker_count()
        # A classifier reads its layers by hooks on its modules: each call has modules of its own with the same weights.
        self._idle: SimpleQueue[Network] = SimpleQueue()
        for _ in range(self._workers):
            self._idle.put(replace(network, reference=shared_copy(network.reference), fast=shared_copy(network.fast)))

    def run(self) -> Iterator[FileAttackResult | AttackPreview | Mapping[str, str] | Progress]:
        """Attacks every file; as many at once as there are workers, and in batches of one size that memory allows.

        Yields:
            Results, previews, for each unreadable file what `result.json` says of it, and progress: first at once.
        """
        done = 0

        def report(traffic: NetworkTraffic) -> Iterator[AttackPreview | Progress]:
            yield self._progress(done, traffic.passes)
            if self._preview_every is not None:
                yield from traffic.item.previews(traffic)

        yield self._progress(done)
        seconds = min(self._preview_every or PROGRESS_EVERY, PROGRESS_EVERY)

        def workers_for(part: FilePart | Mapping[str, str]) -> int:
            return 1 if isinstance(part, FilePart) and part.alone else self._workers

        for workers, parts in groupby(self._parts(), workers_for):
            for item in in_workers(workers, parts, self._results, seconds=seconds, report=report):
                if isinstance(item, list):
                    yield from item
                    done += len(item)
                    yield self._progress(done)
                else:
                    yield item

    def _progress(self, done: int, passes: int = 0) -> Progress:
        detail = f"{self._network.name}, {passes} passes" if passes else self._network.name
        return Progress("attack", done, len(self._files), detail=detail)

    def _worker_count(self) -> int:
        reference = self._network.reference
        black = torch.zeros(1, 3, reference.size, reference.size, device=self._network.device)
        return worker_count(self._network.fast, black, len(self._files), memory=self._memory)

    def _parts(self) -> Iterator[FilePart | Mapping[str, str]]:
        """Images that are attacked at once, and what is said of unreadable files."""
        for batch in sized_batches(self._files, memory=self._memory):
            if not isinstance(batch, SizedBatch):
                yield batch
                continue
            count, memory = len(batch.files), self._memory // self._workers
            # An image too large for a worker's share of the memory gets all of it, and all threads.
            alone = self._workers == 1 or self._block_side(batch.pixels, memory) > 1
            memory = self._memory if alone else memory
            size = 1
            if count > 1 and self._block_side(batch.pixels, memory) == 1:
                first = to_unit(batch.pixels[:1].to(self._network.device))
                size = max_batch_size(with_preprocessing(self._network.fast), first, memory=memory)
                size = size if alone else min(size, math.ceil(count / self._workers))
            for start in range(0, count, size):
                rows = slice(start, start + size)
                yield FilePart(batch.files[rows], batch.pixels[rows], memory, alone)

    def _block_side(self, pixels: Pixels, memory: int) -> int:
        height, width = pixels.shape[2:]
        return block_side(height, width, memory=memory, least=self._network.reference.preprocessing.short_side)

    def _results(
        self, part: FilePart | Mapping[str, str], watch: Watch
    ) -> list[FileAttackResult] | list[Mapping[str, str]]:
        """One entry for each file of a part."""
        if not isinstance(part, FilePart):
            return [part]
        network = self._idle.get()
        try:
            return self._attack(part, network, watch)
        finally:
            self._idle.put(network)

    def _attack(self, part: FilePart, network: Network, watch: Watch) -> list[FileAttackResult]:
        files, pixels = part.files, part.pixels.to(network.device)
        logits = self._classify(network.reference, pixels)
        targets = [self._targets[file] for file in files]
        done = [index for index, target in enumerate(targets) if target == int(logits[index].argmax())]
        results = [self._unchanged(files[index], pixels[index], logits[index], network) for index in done]
        rows = torch.tensor([index for index in range(len(files)) if index not in done], dtype=torch.int64)
        if not len(rows):
            return results
        chosen = None if targets[0] is None else torch.tensor(targets, device=pixels.device)[rows]
        criterion = Criterion(logits[rows].argmax(dim=1), chosen, self._confidence)
        clean = pixels if len(rows) == len(pixels) else pixels[rows]
        blocks = PixelBlocks(clean, self._block_side(clean, part.memory))
        part.images, part.criterion = to_unit(blocks.means), criterion
        found, exact = self._search(blocks, criterion, network, watch)
        changed = blocks.lift(to_bytes(exact.images))
        l2, linf, ssim = distances(clean, changed)
        for row, index in enumerate(rows.tolist()):
            adversarial = to_hwc(changed[row])
            png = encode_png(adversarial)
            saved = self._logits_of(png, network.reference)
            target = None if chosen is None else self._class_entry(int(chosen[row]))
            result = FileAttackResult(
                files[index],
                to_hwc(pixels[index]),
                adversarial,
                png,
                self._prediction(logits[index]),
                target,
                self._prediction(saved[0]),
                l2[row],
                linf[row],
                ssim[row],
                int(found.steps[row]),
                int(exact.forwards[row]) + 1,  # one more for the prediction on the clean image
                int(exact.backwards[row]),
                [margin for margin in found.margin_history[:, row].tolist() if margin == margin],  # NaN: finished
                bool(criterion.select(slice(row, row + 1)).success(saved)[0]),
            )
            results.append(result)
        return results

    def _search(
        self, blocks: PixelBlocks, criterion: Criterion, own: Network, watch: Watch
    ) -> tuple[AttackResult, AttackResult]:
        """The result of the attack, on block means, and the same in whole steps of 1/255."""
        fast, side = own.fast, blocks.side
        network = with_preprocessing(fast) if side == 1 else on_block_means(fast, blocks.pixels, blocks.means, side)
        epsilon, options = self._epsilon, dict(self._options)
        if epsilon is not None and side > 1 and OWN_NORM.get(self._method, self._norm) == "l2":
            epsilon /= side  # of the block means: each stands for side x side pixels
            options["epsilon"] = epsilon
        images = to_unit(blocks.means)

        def as_saved(means: Pixels) -> Logits:
            return self._classify(own.reference, blocks.lift(means))

        with watch(network):
            found: AttackResult = ATTACKS[self._method](network, images, criterion, **options)
            quantise = partial(quantise_result, network, found, criterion, norm=self._norm, epsilon=epsilon)
            exact = quantise(classify=lambda means: self._classify(fast, blocks.lift(means)))
            # The fast network rounds otherwise: what succeeds has to succeed with the network itself.
            if (exact.success & ~criterion.success(as_saved(to_bytes(exact.images)))).any():
                exact = quantise(classify=as_saved)
        return found, exact

    def _classify(self, network: Backbone, pixels: Pixels) -> Logits:
        """Logits of pixels as if saved and read."""
        logits = classify_as_saved(network, pixels)
        check_finite(logits, network)
        return logits

    @torch.no_grad()
    def _logits_of(self, png: bytes, reference: Backbone) -> Logits:
        """Logits (1, K) of a PNG file: read, preprocessed and classified as any file."""
        preprocessing = reference.preprocessing
        pixels = read_pixels(
            png, short_side=preprocessing.short_side, crop=preprocessing.size, interpolation=preprocessing.interpolation
        )
        logits: Logits = reference(to_unit(pixels)[None].to(reference.mean.device))
        return logits

    def _unchanged(self, file: Path, pixels: Tensor, logits: Tensor, network: Network) -> FileAttackResult:
        """The result of an image that is classified as its target already."""
        image, source = to_hwc(pixels), self._prediction(logits)
        png = encode_png(image)
        target = self._class_entry(source["index"])
        return FileAttackResult(
            file,
            image,
            image,
            png,
            source,
            target,
            self._prediction(self._logits_of(png, network.reference)[0]),
            0.0,
            0.0,
            1.0,
            0,
            1,
            0,
            [],
            success=False,
            misclassified_before=True,
        )

    def _prediction(self, logits: Tensor) -> ClassEntry:
        index = int(logits.argmax())
        return {**self._class_entry(index), "probability": float(to_float64(logits).softmax(dim=0)[index])}

    def _class_entry(self, index: int) -> ClassEntry:
        return {"index": index, "name": self._network.classes[index]}
