"""Names that tell images apart: two folders may hold a cat.jpg each, and a browser saves names of 240 bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import PurePath
from typing import Any

from vitrail.run_writer import safe_name

HEAD, TAIL = 96, 48  # bytes of a long name that stay; with what is added a file name has room (255 bytes)


class UniqueNames:
    """Gives every name once, as a file in a run folder can have it."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, wanted: str) -> str:
        """`wanted` as a file can have it: a long one without its middle, and numbered if it was given before."""
        stem = name = _short(safe_name(wanted))
        count = 1
        while name.casefold() in self._taken:  # some disks take a.png and A.png for one
            count += 1
            name = f"{stem}-{count}"
        self._taken.add(name.casefold())
        return name


def _short(name: str) -> str:
    """The name, or its first and last bytes with a checksum of the whole between them."""
    data = name.encode("utf-8", "surrogatepass")
    if len(data) <= HEAD + TAIL:
        return name
    head, tail = (part.decode("utf-8", "ignore") for part in (data[:HEAD], data[-TAIL:]))
    return f"{head}-{sha256(data).hexdigest()[:8]}-{tail}"


def distinct_names(files: Sequence[str]) -> list[str]:
    """Of each path as many of its last parts as tell it from all others: `a/1.jpg` and `b/1.jpg`, but `2.jpg`.

    Equal paths stay equal.
    """
    parts = [PurePath(file).parts for file in files]
    depth = [1] * len(parts)
    while True:
        ends = [path[-count:] for path, count in zip(parts, depth, strict=True)]
        owners = Counter(end for end, _ in {(end, path) for end, path in zip(ends, parts, strict=True)})
        unclear = [row for row, end in enumerate(ends) if owners[end] > 1 and depth[row] < len(parts[row])]
        if not unclear:
            return [str(PurePath(*end)) for end in ends]
        for row in unclear:
            depth[row] += 1


def with_names(entries: Sequence[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each entry of `result.json` that has a `file`, with its distinct name."""
    yield from zip(distinct_names([entry["file"] for entry in entries]), entries, strict=True)
