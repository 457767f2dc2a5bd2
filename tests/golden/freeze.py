"""Writes golden.json anew: `python tests/golden/freeze.py`, after the tests in tests/references have passed.

The peers (captum, foolbox, AutoAttack) take minutes; what our own code gave when it agreed with them takes a second.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F
from networks import images, network

from vitrail.attributions import ATTRIBUTIONS

TARGETS = torch.tensor([1, 2])
PLACE = Path(__file__).with_name("golden.json")
FEW = {"smooth-grad": 4, "var-grad": 4, "integrated-gradients": 8, "rise": 64}


def attributions() -> dict[str, list[list[float]]]:
    """Of each method, the maps of two images as means of 4 x 4 pixels, each map scaled to a largest value of 1."""
    found = {}
    for name in ATTRIBUTIONS:
        if name.startswith("captum"):
            continue
        options = {"samples": FEW[name]} if name in FEW else {}
        maps = ATTRIBUTIONS[name](network(), images(), TARGETS, **options)
        maps = maps / maps.abs().amax(dim=(1, 2), keepdim=True).clamp(min=1e-12)
        found[name] = F.avg_pool2d(maps[:, None], 4).flatten(1).double().tolist()
    return found


def everything() -> dict[str, object]:
    """All golden values, by collection."""
    return {"attributions": attributions()}


if __name__ == "__main__":
    rounded = json.loads(json.dumps(everything()), parse_float=lambda text: round(float(text), 5))
    PLACE.write_text(json.dumps(rounded, indent=1) + "\n")
