"""Attacks on image files of any size; success is measured on the PNG file of the result."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from vitrail.attacks.attack import method_options
from vitrail.attacks.criterion import Criterion
from vitrail.attacks.file_result import AttackPreview, ClassEntry, FileAttackResult
from vitrail.attacks.gradient_ascent import UNIT
from vitrail.attacks.norms import NormName
from vitrail.attacks.preprocessing import classify_as_saved, with_preprocessing
from vitrail.attacks.quantise import quantise_result
from vitrail.attacks.result import AttackResult
from vitrail.attacks.similarity import structural_similarity
from vitrail.attacks.sized_batches import SizedBatch, sized_batches
from vitrail.attacks.table import ATTACKS, DEFAULT_ATTACK
from vitrail.backbones.network import Network
from vitrail.class_names import class_choices
from vitrail.errors import BadSetting
from vitrail.events import Progress
from vitrail.image_ascent import MEMORY, NetworkTraffic, check_finite, max_batch_size, monitored
from vitrail.images import read_pixels, to_hwc, to_unit
from vitrail.plots.encode import encode_png
from vitrail.tensors import Images, Logits, Pixels

ANY = "any"  # in place of a target: any class but the predicted one
NEEDS_EPSILON = ("fgsm", "pgd", "apgd")


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
        memory: bytes per batch.
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
        targets: Sequence[str] = (ANY,),
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
            raise BadSetting(f"{method} needs an epsilon. Use e.g. --epsilon 0.00784 (2/255) with the norm linf.")
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
            Results, previews, for each unreadable file what `result.json` says of it, and progress.
        """
        done = 0
        for batch in sized_batches(self._files):
            if isinstance(batch, SizedBatch):
                first = to_unit(batch.pixels[:1].to(self._network.device))
                size = max_batch_size(self._fast, first, memory=self._memory)
                for start in range(0, len(batch.files), size):
                    rows = slice(start, start + size)
                    yield from self._attack(batch.files[rows], batch.pixels[rows].to(self._network.device))
                done += len(batch.files)
            else:
                yield batch
                done += 1
            yield Progress("attack", done, len(self._files), detail=self._network.name)

    def _attack(self, files: Sequence[Path], pixels: Pixels) -> Iterator[FileAttackResult | AttackPreview]:
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
        clean = to_unit(pixels[rows])
        found = yield from self._monitored(clean, criterion)
        exact = quantise_result(
            self._fast, found, criterion, norm=self._norm, epsilon=self._epsilon, classify=self._classify
        )
        l2, linf, ssim = distances(clean, exact.images)
        for row, index in enumerate(rows.tolist()):
            adversarial = to_hwc(exact.images[row])
            png = encode_png(adversarial)
            target = None if chosen is None else self._class_entry(int(chosen[row]))
            yield FileAttackResult(
                files[index],
                to_hwc(pixels[index]),
                adversarial,
                png,
                self._prediction(logits[index]),
                target,
                self.classify_png(png),
                l2[row],
                linf[row],
                ssim[row],
                int(found.steps[row]),
                int(exact.forwards[row]) + 1,  # one more for the prediction on the clean image
                int(exact.backwards[row]),
                [margin for margin in found.margin_history[:, row].tolist() if margin == margin],  # NaN: finished
            )

    def _monitored(self, images: Images, criterion: Criterion) -> Generator[AttackPreview, None, AttackResult]:
        attack = partial(ATTACKS[self._method], self._fast, images, criterion, **self._options)
        if self._preview_every is None or len(images) > 1:
            return attack()  # type: ignore[no-any-return]
        targeted = criterion.targets is not None
        index = int(criterion.labels[0] if criterion.targets is None else criterion.targets[0])
        clean = to_hwc(images[0])

        def preview(traffic: NetworkTraffic) -> Iterator[AttackPreview]:
            probability = float(traffic.logits[0].softmax(dim=0)[index])
            yield AttackPreview(clean, to_hwc(traffic.images[0]), traffic.passes, probability, targeted)

        found: AttackResult = yield from monitored(self._fast, attack, self._preview_every, preview)
        return found

    def _classify(self, pixels: Pixels) -> Logits:
        """Logits of pixels as if saved and read."""
        logits = classify_as_saved(self._network.reference, pixels)
        check_finite(logits, self._network.reference)
        return logits

    def classify_png(self, png: bytes) -> ClassEntry:
        """The prediction on a PNG file: read, preprocessed and classified as any file."""
        preprocessing = self._network.reference.preprocessing
        pixels = read_pixels(
            png, short_side=preprocessing.short_side, crop=preprocessing.size, interpolation=preprocessing.interpolation
        )
        with torch.no_grad():
            return self._prediction(self._network.reference(to_unit(pixels)[None].to(self._network.device))[0])

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
            self.classify_png(png),
            0.0,
            0.0,
            1.0,
            0,
            1,
            0,
            [],
            misclassified_before=True,
        )

    def _prediction(self, logits: Tensor) -> ClassEntry:
        index = int(logits.argmax())
        return {**self._class_entry(index), "probability": float(logits.double().softmax(dim=0)[index])}

    def _class_entry(self, index: int) -> ClassEntry:
        return {"index": index, "name": self._network.classes[index]}


def distances(clean: Images, adversarial: Images) -> tuple[list[float], list[float], list[float]]:
    """L2 and L-infinity norm of each perturbation, in pixel intensity, and the structural similarity."""
    change = (adversarial - clean).flatten(1).double()
    similarity = structural_similarity(clean, adversarial)
    return change.norm(dim=1).tolist(), change.abs().amax(dim=1).tolist(), similarity.tolist()
