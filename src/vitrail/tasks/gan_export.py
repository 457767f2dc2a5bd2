"""A trained generator as files for other programs: its weights with their description, or an ONNX model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from vitrail.events import Attachment, Event, Note, Result, Summary, Weights
from vitrail.settings import DATA, OUTPUT, setting
from vitrail.task import Task

if TYPE_CHECKING:
    from vitrail.gan.export import ExportedFile


class GanExport(Task):
    """Export a generator as safetensors or ONNX; each file is read again and compared before it is stored.

    While a training has not ended, the generator of its last checkpoint is exported.
    """

    generator: Path = setting(..., "Run folder of `vitrail gan train`", panel=DATA, positional=True)
    format: Literal["safetensors", "onnx", "both"] = setting(
        "safetensors", "safetensors (weights and a JSON description), onnx (runs without torch), or both", panel=OUTPUT
    )

    def run(self) -> Iterator[Event]:
        """Yields the files; the last event is the `Result`."""
        import time

        from vitrail.gan.export import IMAGES_COMPARED, card_of_run, export_card, export_generator
        from vitrail.gan.generator import load

        started = time.perf_counter()
        generator = load(self.generator, device="cpu")  # sums of a GPU differ by more than the tolerance
        if not generator.is_final:
            yield Note("This training has not ended; the generator of its last checkpoint is exported.", "warning")
        files = export_generator(generator, self.format)
        skipped = []
        for file in files:
            if file.tensors:
                card = card_of_run(self.generator) or export_card(generator)
                yield Weights("generator", file.tensors, dict(generator.description), card)
            else:
                yield Attachment("weights", file.name, file.data)
            if file.difference is None:
                reason = "not compared: onnxruntime is not installed. Use `pip install 'vitrail[onnx]'`."
                skipped.append({"file": f"weights/{file.name}", "kind": "missing-extra", "reason": reason})
                yield Note(f"weights/{file.name} was {reason}", "missing-extra")
        seconds = time.perf_counter() - started
        yield self._summary(files, generator.description["architecture"], seconds)
        differences = [file.difference for file in files if file.difference is not None]
        yield Result(
            {
                "generator": str(self.generator),
                "device": "cpu",
                "skipped": skipped,
                "outputs": [_output(file) for file in files],
                "difference": max(differences, default=None),
                "images_compared": IMAGES_COMPARED if differences else 0,
                "seconds": {"total": seconds},
            }
        )

    def _summary(self, files: list[ExportedFile], architecture: str, seconds: float) -> Summary:
        from vitrail.formatting import duration
        from vitrail.gan.export import IMAGES_COMPARED

        lines = [("generator", architecture)]
        for file in files:
            lines.append((Path(file.name).suffix[1:], f"weights/{file.name}, {len(file.data):,} bytes"))
            difference = "not measured" if file.difference is None else f"{file.difference:.1e} of a range of 1"
            lines.append(("difference", f"{difference}, largest of {IMAGES_COMPARED} images from the file"))
        lines.append(("time", duration(seconds)))
        return Summary(lines, ["vitrail gan sample {run}"] if any(file.tensors for file in files) else [])


def _output(file: ExportedFile) -> dict[str, Any]:
    """A file as `result.json` has it."""
    from vitrail.gan.onnx import OPSET

    output = {"file": f"weights/{file.name}", "bytes": len(file.data), "difference": file.difference}
    return output if file.tensors else {**output, "opset": OPSET}
