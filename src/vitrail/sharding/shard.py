"""One of so many equal parts of a list."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vitrail.errors import BadSetting

MANIFEST = "manifest.json"
"""Names what the shards are of, so that shards of other images or settings are never mixed."""

MOST = 1_000_000  # shards, so that their numbers have six digits at most


@dataclass(frozen=True)
class Shard:
    """The `number`-th of `count` parts, from 1 on; parts differ by one image at most."""

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """What `3/64` says.

        Raises:
            BadSetting: it says something else.
        """
        found = re.fullmatch(r"([0-9]{1,7})/([0-9]{1,7})", text.strip())
        number, count = (int(part) for part in found.groups()) if found else (0, 0)
        if not 1 <= number <= count <= MOST:
            raise BadSetting(f"--shard takes K/N, with K from 1 to N; got {text!r}. Use e.g. 3/64.")
        return cls(number, count)

    def rows(self, total: int) -> slice:
        """Which of `total` images it has."""
        return slice(total * (self.number - 1) // self.count, total * self.number // self.count)

    def __str__(self) -> str:
        """As files are called: they sort as their images do."""
        return f"{self.number:06d}-of-{self.count:06d}"


def shards(count: int) -> list[Shard]:
    """All of them."""
    return [Shard(number, count) for number in range(1, count + 1)]


def holds_shards(folder: Path) -> bool:
    """Whether a run folder has shards in it."""
    return (folder / "shards" / MANIFEST).is_file()
