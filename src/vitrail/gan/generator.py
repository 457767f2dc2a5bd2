"""The generator in a run folder: that of the best epoch, or, before the training has ended, of its last checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from vitrail.backbones.weights import assemble
from vitrail.devices import choose_device
from vitrail.errors import BadRun, BadSetting, one_line
from vitrail.files import write_bytes, write_json
from vitrail.gan.checkpoints import latest_checkpoint
from vitrail.gan.description import check_description
from vitrail.gan.editor import Editor, EditResult, parse_edits
from vitrail.gan.encoders import read_encoders
from vitrail.gan.export import Format, export_generator
from vitrail.gan.generator_network import GeneratorNetwork, Label, label_texts
from vitrail.gan.interpolation import Interpolation, interpolate_seeds
from vitrail.gan.networks import build, condition_table
from vitrail.gan_training.arguments import check_device
from vitrail.gan_training.checkpoints import unpack
from vitrail.gan_training.ema import recalibrate_batch_norm
from vitrail.gan_training.sampling import calibration_batches
from vitrail.gan_training.state import select_prefix
from vitrail.image_files import display_name
from vitrail.images import check_intensities, to_bytes, to_rgb, to_unit
from vitrail.reading import check_regular, read_json
from vitrail.runs import read_run
from vitrail.tensors import Images
from vitrail.validation import check_path, describe


@dataclass(frozen=True)
class Generator(GeneratorNetwork):
    """A trained generator.

    Attributes:
        run: its run folder.
        is_final: whether the training has ended; otherwise it is the EMA of the last checkpoint.
    """

    run: Path
    is_final: bool

    def sample(self, n: int, *, seed: int = 0, label: Label = None) -> Images:
        """Generated images (n, 3, S, S), RGB, float32 in [0, 1], in steps of 1/255; image k depends on seed + k alone.

        Args:
            label: a class, or attributes ({"Male": 1}); what is not given is sampled as among the training images.
        Raises:
            UnknownName: there is no such class or attribute.
            BadSetting: a label of an unconditional generator, or one that is none; no such seed, or no images.
        """
        images: Images = to_rgb(to_unit(self.images(self.latents(seed, n), self.labels(label, n, seed))))
        return images

    def interpolate(
        self,
        seeds: Sequence[int] = (0, 1),
        *,
        label: Label = None,
        to_label: Label = None,
        steps: int = 24,
        loop: bool = False,
    ) -> Interpolation:
        """Images between those of several seeds, see `gan.interpolation.interpolate_seeds`."""
        return interpolate_seeds(self, seeds, label=label, to_label=to_label, steps=steps, loop=loop)

    def edit(
        self,
        images: Images,
        attributes: Mapping[str, int],
        *,
        inversion_steps: int = 100,
        keep_details: bool = True,
        strength: float | None = None,
        steps: int = 7,
    ) -> EditResult:
        """Images with other attributes, at the generator's size; see `gan.editor.EditResult`.

        Args:
            images: (N, 3, H, W), RGB, float32 in [0, 1]; resized to cover the generator's size, and cropped.
            attributes: new values, {"Male": 1, "Young": 0}.
            inversion_steps, keep_details, strength, steps: see `gan.editor.Editor`.
        Raises:
            BadSetting: the generator has no attributes, or none is given; images or values out of range.
            BadRun: the run folder holds no encoders.
            UnknownName: there is no such attribute.
        """
        edits = parse_edits(self, label_texts(attributes))
        _check_images(images)
        editor = Editor(
            self,
            read_encoders(self.run, str(next(self.network.parameters()).device)),
            edits,
            inversion_steps=inversion_steps,
            keep_details=keep_details,
            strength=strength,
            steps=steps,
        )
        editing = editor.edit(to_bytes(_cover(images, self.size)).cpu())
        while True:
            try:
                next(editing)
            except StopIteration as end:
                result: EditResult = end.value
                return result

    def export(self, folder: str | Path, *, format: Format = "safetensors") -> list[Path]:
        """Writes the generator to a folder, and returns the paths; images from each file were compared before.

        Args:
            folder: of `generator.safetensors` with its description `generator.json`, and `generator.onnx`.
            format: safetensors, onnx (runs without torch; inputs and outputs: see `gan.onnx`), or both.
        Raises:
            BadSetting: there is no such format, or no path.
            MissingExtra: onnx or onnxscript is not installed.
            BadWeights: images from a file differ from the generator's by more than 1e-4 of their range.
            CannotWrite: the folder cannot be written.
        """
        check_path("folder", folder)
        on_cpu = GeneratorNetwork(deepcopy(self.network).cpu(), self.description)
        paths = []
        for file in export_generator(on_cpu, format):
            path = Path(folder, file.name)
            write_bytes(path, file.data, within=None)
            paths.append(path)
            if file.tensors:
                paths.append(path.with_suffix(".json"))
                write_json(paths[-1], dict(self.description), within=None)
        return paths


def load(run: str | Path, *, device: str = "auto") -> Generator:
    """The generator of a run of `vitrail gan train`.

    Args:
        run: the run folder.
        device: "auto", "cpu", "cuda" or "cuda:N".
    Raises:
        BadRun: the folder holds no generator, or a damaged one.
        UnknownName: its architecture is unknown.
        BadSetting: no path, or no such device.
    """
    check_path("run", run)
    check_device("device", device)
    run, device = Path(run), choose_device(device)
    read_run(run)
    weights = run / "weights" / "generator.safetensors"
    if weights.is_file():
        description, tensors = _read_weights(weights)
        return Generator(_assemble(description, tensors, run).to(device), description, run, is_final=True)
    try:
        file = latest_checkpoint(run)
    except BadRun:
        raise BadRun(
            f"'{display_name(run)}' holds no generator. Use a run of `vitrail gan train`.", path=str(run)
        ) from None
    state, header = unpack(file)
    networks = header.get("networks")
    described = networks if isinstance(networks, dict) else {}  # `_assemble` says what is missing
    description = {**described, "data": header.get("data"), "seed": header.get("seed")}
    network = _assemble(description, select_prefix("ema", state), run).to(device)
    recalibrate_batch_norm(
        network,
        calibration_batches(
            condition_table(description), int(description["arguments"]["latent_size"]), torch.device(device)
        ),
    )
    return Generator(network, description, run, is_final=False)


def _check_images(images: Any) -> None:
    is_batch = isinstance(images, Tensor) and images.ndim == 4 and images.shape[1] == 3 and images.numel()
    if not is_batch or images.dtype != torch.float32:
        raise BadSetting(
            f"images must be a tensor (N, 3, H, W) of float32, RGB; got {describe(images)}. "
            "Use vitrail.read_image(file)[None] for one image."
        )
    check_intensities(images)


def _cover(images: Images, size: int) -> Images:
    """The middle (N, 3, size, size) of images whose short side is resized to `size`."""
    height, width = images.shape[-2:]
    if (height, width) != (size, size):
        scale = size / min(height, width)
        sides = [max(size, int(side * scale)) for side in (height, width)]
        images = torch.nn.functional.interpolate(images, size=sides, mode="bilinear", antialias=True)
    top, left = ((side - size) // 2 for side in images.shape[-2:])
    return images[..., top : top + size, left : left + size]


def _read_weights(weights: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    run = weights.parents[1]
    try:
        description: dict[str, Any] = read_json(weights.with_suffix(".json"), within=run)
        return description, load_file(check_regular(weights, within=run))
    except (OSError, ValueError, SafetensorError) as error:
        raise BadRun(
            f"The generator '{display_name(weights)}' is damaged ({one_line(error)}). Train it again.",
            path=str(weights),
        ) from None


def _assemble(description: Mapping[str, Any], tensors: Mapping[str, Tensor], run: Path) -> nn.Module:
    try:
        check_description(description)
        network = assemble(lambda: build(description).generator, tensors, owner=description["architecture"], path=run)
    except (ValueError, RuntimeError) as error:
        raise BadRun(
            f"The generator in '{display_name(run)}' is damaged, or of another architecture ({one_line(error)}). "
            "Train it again.",
            path=str(run),
        ) from None
    return network.eval().requires_grad_(False)
