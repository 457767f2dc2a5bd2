"""Which part of some data a folder, a file or a word means: train, val or test, by the names people give them."""

from __future__ import annotations

import re
from collections.abc import Mapping

WORDS = {
    "train": ("train", "training", "trn", "learn", "learning"),
    "val": ("val", "valid", "validation", "validate", "dev", "development"),
    "test": ("test", "testing", "tst", "holdout", "heldout"),
}
BESIDE = frozenset(("seg", "set", "data", "dataset", "split", "part", "image", "images", "img", "imgs", "photos"))
"""Words that may stand beside those."""

LOOSE_WORDS = {**WORDS, "val": (*WORDS["val"], "eval", "evaluation")}
"""Words that mean a part only where folders look like parts: "eval" may be a class."""

_PARTS: Mapping[str, str] = {word: part for part, words in WORDS.items() for word in words}
_GLUED = re.compile(rf"({'|'.join(sorted(_PARTS, key=len, reverse=True))})(set|data|images|imgs|split)?")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")  # PublicTest


def part_named(name: str, around: str = "") -> str | None:
    """The part that a name means, in any case: "train", "val" or "test"; None: it means none.

    Numbers count for nothing, and neither do words such as "set" or those of the name of the folder around it:
    `seg_train`, `Training`, `train2017`, `testset` and, in a folder `flowers`, `flowers-val` are parts.
    """
    words = [word for word in re.findall(r"[^\W\d_]+", name.lower()) if word not in BESIDE]
    words = [word for word in words if word not in re.findall(r"[^\W\d_]+", around.lower()) or word in _PARTS]
    match = _GLUED.fullmatch(words[0]) if len(words) == 1 else None
    return _PARTS[match[1]] if match else None


def part_among(name: str) -> str | None:
    """The part whose word is anywhere in a name, such as `my_train` or `public_test`; for folders that look like parts.

    None: none is, or words of several are.
    """
    words = {_GLUED.sub(r"\1", word) for word in re.findall(r"[^\W\d_]+", _CAMEL.sub(" ", name).lower())}
    found = [part for part, known in LOOSE_WORDS.items() if words & {*known}]
    return found[0] if len(found) == 1 else None


def may_surround(name: str) -> bool:
    """Whether such a folder may lie between a part and its classes, as in `seg_train/seg_train` or `train/images`."""
    words = re.findall(r"[^\W\d_]+", name.lower())
    return part_named(name) is not None or (bool(words) and BESIDE.issuperset(words))
