"""A set of pictures in, how easily a network is fooled on them and how faithful its maps are out."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator

from vitrail.attributions import ATTRIBUTIONS
from vitrail.errors import BadSetting
from vitrail.events import Event, Note, Result
from vitrail.registry import shown
from vitrail.settings import Numbers, Task, setting

LINF = tuple(step / 255 for step in (0.25, 0.5, 1, 1.5, 2, 3, 4, 8))
L2 = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0)


def _radii(values: tuple[float, ...]) -> tuple[float, ...]:
    if not values or min(values) <= 0:
        raise BadSetting(f"radii must be above 0; got {', '.join(map(str, values)) or 'none'}.")
    return tuple(sorted(set(values)))


Radii = Annotated[Numbers, AfterValidator(_radii)]


class Audit(Task):
    """Measure on a set of pictures how easily a network is fooled, and how faithful its maps are."""

    folder: Path = setting(
        ..., "Folder of pictures; class folders give the labels if --labels does not", positional=True
    )
    labels: Path | None = setting(None, "CSV with the columns file and class_index (or label: a name or number)")
    backbone: str = setting("squeezenet", "Network, by name, or a run folder of `vitrail transfer`")
    method: str = setting("gradient", f"Maps to judge, by name. Known: {', '.join(map(shown, ATTRIBUTIONS))}")
    linf: Radii = setting(LINF, "Radii in the largest change of a pixel, intensity 0 to 1")
    l2: Radii = setting(L2, "Radii in the length of the whole change")
    limit: int | None = setting(None, "Pictures at most, drawn by the seed", ge=1)
    reference: bool = setting(False, "Run the official AutoAttack as well, at --reference-radius (slow)")
    reference_radius: float = setting(1 / 255, "Radius (linf) of the reference", gt=0)
    memory: int = setting(512, "MiB that what is computed at once may take", ge=16)
    weights: Path | None = setting(None, "Weights file of the network (safetensors, or a torch state dict)")
    seed: int = setting(0, "Seed of the draw and of random maps", ge=0)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def run(self) -> Iterator[Event]:
        """Yields curves, contact sheets and a table; the last event is the `Result`."""
        from vitrail.tasks.audit_data import labelled  # noqa: PLC0415  (`--help` reads this module: nothing heavy above)
        from vitrail.tasks.audit_measures import measures  # noqa: PLC0415
        from vitrail.tasks.audit_report import report  # noqa: PLC0415
        from vitrail.tasks.network import open_network  # noqa: PLC0415

        started = time.perf_counter()
        ATTRIBUTIONS.check(self.method)
        network = open_network(self.backbone, weights=self.weights, device=self.device)
        files, labels, source = labelled(self.folder, self.labels, network.classes)
        if self.limit is not None and self.limit < len(files):
            import random  # noqa: PLC0415  (here only)

            rows = sorted(random.Random(self.seed).sample(range(len(files)), self.limit))
            files, labels = [files[row] for row in rows], labels and [labels[row] for row in rows]
        yield Note(source)
        audit = yield from measures(self, network, files, labels)
        for skip in audit.skipped:
            yield Note(f"Skipped: {skip['reason']}")
        yield from report(audit)
        yield Result(
            {
                "backbone": [network.identity],
                "device": network.device,
                "skipped": audit.skipped,
                **audit.figures(),
                "seconds": {"total": time.perf_counter() - started},
            }
        )
