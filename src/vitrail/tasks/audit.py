"""A set of images in, how easily a network is fooled on them and how faithful its maps are out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator

from vitrail.attributions import ATTRIBUTIONS
from vitrail.errors import BadSetting
from vitrail.registry import display_name
from vitrail.settings import Numbers, setting
from vitrail.tasks.sharded import Sharded

if TYPE_CHECKING:
    from vitrail.sharding.work import Work

LINF = tuple(step / 255 for step in (0.25, 0.5, 1, 1.5, 2, 3, 4, 8))
L2 = (0.05, 0.1, 0.2, 0.3, 0.5, 0.75, 1.0, 2.0)


def _radii(values: tuple[float, ...]) -> tuple[float, ...]:
    if not values or min(values) <= 0:
        raise BadSetting(f"radii must be above 0; got {', '.join(map(str, values)) or 'none'}.")
    return tuple(sorted(set(values)))


Radii = Annotated[Numbers, AfterValidator(_radii)]


class Audit(Sharded):
    """Measure on a set of images how easily a network is fooled, and how faithful its maps are."""

    folder: Path = setting(
        ..., "Images; class folders, a table or tar files give the labels if --labels does not", positional=True
    )
    labels: Path | None = setting(None, "CSV with the columns file and class_index (or label: a name or number)")
    backbone: str = setting("squeezenet", "Network, by name, or a run folder of `vitrail transfer`")
    method: str = setting("gradient", f"Maps to judge, by name. Known: {', '.join(map(display_name, ATTRIBUTIONS))}")
    linf: Radii = setting(LINF, "Radii in the largest change of a pixel, intensity 0 to 1")
    l2: Radii = setting(L2, "Radii in the length of the whole change")
    limit: int | None = setting(None, "Images at most, drawn by the seed", ge=1)
    reference: bool = setting(False, "Run the official AutoAttack as well, at --reference-radius (slow)")
    reference_radius: float = setting(1 / 255, "Radius (linf) of the reference", gt=0)
    memory: int = setting(512, "MiB that what is computed at once may take", ge=16)
    weights: Path | None = setting(None, "Weights file of the network (safetensors, or a torch state dict)")
    seed: int = setting(0, "Seed of the draw and of random maps", ge=0)
    device: str = setting("auto", "Device: auto, cpu, cuda, cuda:1")

    def prepare(self) -> Work:
        """The network, and the images with what counts as right."""
        from vitrail.tasks.audit_work import Auditing

        ATTRIBUTIONS.check(self.method)
        return Auditing(self)
