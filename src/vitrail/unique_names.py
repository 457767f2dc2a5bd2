"""Names for the files that a run keeps of images: two folders may hold a cat.jpg each."""

from __future__ import annotations

from vitrail.run_writer import safe_name


class UniqueNames:
    """Gives every name once."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def free(self, wanted: str) -> str:
        """`wanted` as a file can have it, with a number behind it if it was given before."""
        stem = name = safe_name(wanted)
        count = 1
        while name in self._taken:
            count += 1
            name = f"{stem}-{count}"
        self._taken.add(name)
        return name
