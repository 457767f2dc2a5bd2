"""What a person is likely to see on the samples of a training, before any number."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from vitrail.formatting import count, duration

ENOUGH = {"projected": 2000}
"""Steps after which samples of an architecture usually show what the images show; of the others `MANY`."""
MANY = 5000  # six epochs of MNIST, after which a DCGAN draws every digit; of photographs it needs more
ROUGH = 100  # images by which no more can be said than roughly
SEEN = (  # by how many of the five strengths of blur real images need to be as far away
    "close to real images, as far as these features tell",
    "plainly what the images show, with small faults",
    "what the images show, with plain faults",
    "what the images show can be guessed",
    "ghosts of what the images show",
    "hardly anything of what the images show",
    "nothing of what the images show yet",
)


def samples_line(values: Mapping[str, Any]) -> str:
    """What the samples look like, and how long a training that has only begun would take; empty: nobody can tell.

    Args:
        values: of a training, as in `result.json`.
    """
    scale, steps = values.get("scale"), values["steps"]
    enough = ENOUGH.get(values["architecture"], MANY)
    parts = [SEEN[scale["reached"]]] if scale else []
    if scale and scale["n"] < ROUGH:
        parts[0] += f" (a rough guess, by {count(scale['n'], 'image')})"
    if steps < enough and (not scale or scale["reached"] > 1):
        were = "was" if steps == 1 else "were"
        text = f"{count(steps, 'step')} {were} trained, and this architecture usually needs {enough:,}"
        if values.get("images_per_second"):
            seconds = enough * values["images_per_step"] / values["images_per_second"]
            text += f" (--epochs {math.ceil(enough / values['steps_per_epoch'])}, {duration(seconds)} at this pace)"
        parts.append(text)
    return ": ".join(parts)
