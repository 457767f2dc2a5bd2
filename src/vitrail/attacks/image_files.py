"""Attacks on image files of any size; success is measured on the PNG file of the result."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from vitrail.attacks.attack import method_options
from vitrail.attacks.criterion import Criterion
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
from vitrail.backbones.network import Network
from vitrail.class_names import class_choices
from vitrail.devices import to_float64
from vitrail.errors import BadSetting
from vitrail.events import Progress
from vitrail.image_ascent import MEMORY, NetworkTraffic, check_finite, max_batch_size, monitored
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
        memory: bytes per batch. An image too large for it is attacked in blocks of pixels, see `pixel_blocks`.
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
        self._fast = with_preprocessing(network.fast)

    def run(self) -> Iterator[FileAttackResult | AttackPreview | Mapping[str, str] | Progress]:
        """Attacks every file; as many at once as are of one size and as memory allows.

        Yields:
            Results, previews, for each unreadable file what `result.json` says of it, and progress: first at once.
        """
        done = 0
        yield self._progress(done)
        for batch in sized_batches(self._files, memory=self._memory):
            if isinstance(batch, SizedBatch):
                for rows in self._parts(batch):
                    pixels = batch.pixels[rows].to(self._network.device)
                    yield from self._attack(batch.files[rows], pixels, done)
                done += len(batch.files)
            else:
                yield batch
                done += 1
            yield self._progress(done)

    def _progress(self, done: int, passes: int = 0) -> Progress:
        detail = f"{self._network.name}, {passes} passes" if passes else self._network.name
        return Progress("attack", done, len(self._files), detail=detail)

    def _block_side(self, pixels: Pixels) -> int:
        height, width = pixels.shape[2:]
        least = self._network.reference.preprocessing.short_side
        return block_side(height, width, memory=self._memory, least=least)

    def _parts(self, batch: SizedBatch) -> Iterator[slice]:
        """Rows that are attacked at once; one image where it is attacked in blocks."""
        size = 1
        if len(batch.files) > 1 and self._block_side(batch.pixels) == 1:
            first = to_unit(batch.pixels[:1].to(self._network.device))
            size = max_batch_size(self._fast, first, memory=self._memory)
        yield from (slice(start, start + size) for start in range(0, len(batch.files), size))

    def _attack(
        self, files: Sequence[Path], pixels: Pixels, before: int
    ) -> Iterator[FileAttackResult | AttackPreview | Progress]:
        logits = self._classify(pixels)
        targets = [self._targets[file] for file in files]
        done = [index for index, target in enumerate(targets) if target == int(logits[index].argmax())]
        for index in done:
            yield self._unchanged(files[index], pixels[index], logits[index])
        rows = torch.tensor([index for index in range(len(files)) if index not in done], dtype=torch.int64)
        if not len(rows):
            return
        chosen = None if targets[0] is None else torch.tensor(targets, device=pixels.device)[rows]
        criterion = Criterion(logits[rows].argmax(dim=1), chosen, self._confidence)
        clean = pixels if len(rows) == len(pixels) else pixels[rows]
        blocks = PixelBlocks(clean, self._block_side(clean))
        found, exact = yield from self._monitored(blocks, criterion, before)
        changed = blocks.lift(to_bytes(exact.images))
        l2, linf, ssim = distances(clean, changed)
        for row, index in enumerate(rows.tolist()):
            adversarial = to_hwc(changed[row])
            png = encode_png(adversarial)
            saved = self._logits_of(png)
            target = None if chosen is None else self._class_entry(int(chosen[row]))
            yield FileAttackResult(
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

    def _monitored(
        self, blocks: PixelBlocks, criterion: Criterion, before: int
    ) -> Generator[AttackPreview | Progress, None, tuple[AttackResult, AttackResult]]:
        """The result of the attack, on block means, and the same in whole steps of 1/255."""
        side, pixels = blocks.side, blocks.pixels
        fast = self._fast if side == 1 else on_block_means(self._network.fast, pixels, blocks.means, side)
        epsilon, options = self._epsilon, dict(self._options)
        if epsilon is not None and side > 1 and OWN_NORM.get(self._method, self._norm) == "l2":
            epsilon /= side  # of the block means: each stands for side x side pixels
            options["epsilon"] = epsilon
        images = to_unit(blocks.means)

        def work() -> tuple[AttackResult, AttackResult]:
            found: AttackResult = ATTACKS[self._method](fast, images, criterion, **options)
            classify = self._classify if side == 1 else lambda means: self._classify(blocks.lift(means))
            exact = quantise_result(fast, found, criterion, norm=self._norm, epsilon=epsilon, classify=classify)
            return found, exact

        previewed = self._preview_every is not None and len(images) == 1
        index = int(criterion.labels[0] if criterion.targets is None else criterion.targets[0])

        def report(traffic: NetworkTraffic) -> Iterator[AttackPreview | Progress]:
            yield self._progress(before, traffic.passes)
            if previewed:
                probability = float(traffic.logits[0].softmax(dim=0)[index])
                now = to_hwc(traffic.images[0])
                yield AttackPreview(to_hwc(images[0]), now, traffic.passes, probability, criterion.targets is not None)

        seconds = min(self._preview_every or PROGRESS_EVERY, PROGRESS_EVERY)
        result: tuple[AttackResult, AttackResult] = yield from monitored(fast, work, seconds, report)
        return result

    def _classify(self, pixels: Pixels) -> Logits:
        """Logits of pixels as if saved and read."""
        logits = classify_as_saved(self._network.reference, pixels)
        check_finite(logits, self._network.reference)
        return logits

    @torch.no_grad()
    def _logits_of(self, png: bytes) -> Logits:
        """Logits (1, K) of a PNG file: read, preprocessed and classified as any file."""
        preprocessing = self._network.reference.preprocessing
        pixels = read_pixels(
            png, short_side=preprocessing.short_side, crop=preprocessing.size, interpolation=preprocessing.interpolation
        )
        logits: Logits = self._network.reference(to_unit(pixels)[None].to(self._network.device))
        return logits

    def _unchanged(self, file: Path, pixels: Tensor, logits: Tensor) -> FileAttackResult:
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
            self._prediction(self._logits_of(png)[0]),
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
