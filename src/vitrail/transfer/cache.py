"""Feature cache on the disk: a folder of shards, each complete or absent; a damaged row is never returned.

A shard is a safetensors file named after the sha256 of its own bytes, so that one changed bit anywhere in it, the
header included, is detected. Rows are indexed by the sha256 digests of the images' content.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float32, Int64
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from vitrail.errors import BadWeights
from vitrail.files import remove_leftovers, rename, write_bytes, write_json
from vitrail.reading import check_regular, open_regular

_LAYOUT = 1  # raised when the format of a shard changes: older shards are then ignored
_DIGEST_SIZE = 32  # bytes of a sha256


class FeatureCache:
    """Features of images, computed in one way; several processes may read and write it at the same time.

    The rows of a damaged shard count as missing, so the caller needs no case of its own:

        missing = np.flatnonzero(cache.positions(digests) < 0)
        ...  # for each batch of them: cache.append(digests of the batch, features of the batch)
        features = cache.read(cache.positions(digests))

    A folder that cannot be written can still be read. Each `append` writes one file: some hundreds of rows per call
    are cheap, single rows are not. The index takes about 150 bytes of memory per row.

    Args:
        folder: holds the caches of all descriptions, each in a subfolder.
        description: JSON of everything the features depend on: network, weights, layer, preprocessing, precision.

    Attributes:
        damaged: names of damaged, truncated or foreign shards; they are renamed to `.bad` where possible.
    """

    def __init__(self, folder: Path, description: Mapping[str, object]) -> None:
        self.description = dict(description)
        self.damaged: list[str] = []
        self._key = _key(self.description)
        self._home, self._folder = folder, folder / self._key
        self._shards: list[_Shard] = []
        self._index: dict[bytes, int] = {}
        self._known: set[str] = set()
        remove_leftovers(self._folder, within=folder)
        self.refresh()

    def refresh(self) -> None:
        """Loads the shards that other processes have written since; earlier positions stay valid."""
        for path in sorted(self._folder.glob("shard-*.safetensors")):
            if path.name not in self._known:
                self._load_shard(path)

    def positions(self, digests: Sequence[bytes]) -> Int64[np.ndarray, " n"]:
        """(n,), the position of each image's row; −1 where there is none.

        Verifies the shards that hold these rows, each once and completely, so that `read` returns no damaged row.
        """
        positions = self._look_up(digests)
        unverified = [self._shards[i] for i in self._shards_of(positions) if not self._shards[i].verified]
        if not unverified:
            return positions
        with ThreadPoolExecutor(min(len(unverified), os.cpu_count() or 1)) as pool:  # hashing releases the GIL
            for shard, intact in zip(unverified, pool.map(_verify, [s.path for s in unverified]), strict=True):
                shard.verified = intact is True
                if not shard.verified:
                    self._drop(shard, readable=intact is not None)
        return self._look_up(digests)

    def read(
        self, positions: Int64[np.ndarray, " n"], *, out: Float32[np.ndarray, "n d"] | None = None
    ) -> Float32[np.ndarray, "n d"]:
        """(n, d), the rows at these positions, in this order, copied from the disk.

        Args:
            positions: (n,), as `positions` gave them.
            out: filled and returned if given; may be a memory map.

        Raises:
            IndexError: a position is −1 or beyond the end.
            OSError: the cache was deleted since `positions` was called.
        """
        if np.any((positions < 0) | (positions >= self._end)):
            raise IndexError(f"positions must be in [0, {self._end}); those of missing images are -1")
        width = self._shards[0].width if self._shards else 0
        if out is None:
            out = np.empty((len(positions), width), np.float32)
        elif out.shape != (len(positions), width):
            raise ValueError(f"out must have shape {(len(positions), width)}. Got {out.shape}.")
        order = np.argsort(positions, kind="stable")  # shard by shard, and each from front to back
        ordered = positions[order]
        for number in self._shards_of(positions):
            shard = self._shards[number]
            first, last = np.searchsorted(ordered, (shard.start, shard.start + shard.count))
            out[order[first:last]] = shard.rows()[ordered[first:last] - shard.start]
        return out

    def append(self, digests: Sequence[bytes], rows: Float32[np.ndarray, "m d"]) -> None:
        """Stores rows as one new shard.

        Raises:
            BadWeights: a feature is NaN or infinite.
            CannotWrite: e.g. the disk is full; the cache is unchanged, and the caller may continue without it.
        """
        self._check(digests, rows)
        if not len(rows):
            return
        tensors = {
            "rows": np.ascontiguousarray(rows, "<f4"),
            "digests": np.frombuffer(b"".join(digests), np.uint8).reshape(-1, _DIGEST_SIZE),
        }
        data = save(tensors, metadata={"description": self._key})
        path = self._folder / f"shard-{hashlib.sha256(data).hexdigest()}.safetensors"
        if not (self._folder / "meta.json").exists():
            write_json(self._folder / "meta.json", self.description, within=self._home)  # for people
        write_bytes(path, data, within=self._home)
        self._load_shard(path, verified=True)

    @property
    def _end(self) -> int:
        """Number of rows in all shards, duplicates and damaged ones included: positions are below it."""
        return self._shards[-1].start + self._shards[-1].count if self._shards else 0

    def _check(self, digests: Sequence[bytes], rows: Float32[np.ndarray, "m d"]) -> None:
        if len(digests) != len(rows) or any(len(digest) != _DIGEST_SIZE for digest in digests):
            raise ValueError(f"digests must be {len(rows)} sha256 digests of {_DIGEST_SIZE} bytes, one for each row")
        if self._shards and rows.shape[1] != self._shards[0].width:
            raise ValueError(f"rows must have {self._shards[0].width} columns like those before. Got {rows.shape[1]}.")
        bad = len(rows) - np.count_nonzero(np.isfinite(rows).all(axis=1))
        if bad:
            raise BadWeights(
                f"The features of {bad} of {len(rows)} images are not finite. Use other weights, or float32."
            )

    def _look_up(self, digests: Sequence[bytes]) -> Int64[np.ndarray, " n"]:
        return np.fromiter((self._index.get(digest, -1) for digest in digests), np.int64, len(digests))

    def _shards_of(self, positions: Int64[np.ndarray, " n"]) -> list[int]:
        """Indices of the shards that hold these positions, ascending; −1 is in none."""
        starts = np.array([shard.start for shard in self._shards], np.int64)
        numbers: list[int] = np.unique(np.searchsorted(starts, positions[positions >= 0], side="right") - 1).tolist()
        return numbers

    def _load_shard(self, path: Path, *, verified: bool = False) -> None:
        self._known.add(path.name)
        try:
            shard, digests = _open_shard(path, self._key, self._end)
            shard.verified = verified
            if not self._fits(shard):
                raise ValueError("a shard of another network, or damaged")
        except OSError:  # deleted, or no permission to read: nothing to set aside
            self.damaged.append(path.name)
            return
        except (ValueError, KeyError, SafetensorError):
            self._set_aside(path)
            return
        self._shards.append(shard)
        self._index.update(zip(digests, range(shard.start, shard.start + shard.count), strict=True))

    def _fits(self, shard: "_Shard") -> bool:
        """Whether it has the width of the first shard, which sets the width of all and is therefore verified."""
        if self._shards:
            return shard.width == self._shards[0].width
        return shard.verified or _is_intact(shard.path)

    def _drop(self, shard: "_Shard", *, readable: bool) -> None:
        gone = range(shard.start, shard.start + shard.count)
        self._index = {digest: position for digest, position in self._index.items() if position not in gone}
        if readable:
            self._set_aside(shard.path)
        else:  # a read error may be temporary
            self.damaged.append(shard.path.name)

    def _set_aside(self, path: Path) -> None:
        self.damaged.append(path.name)
        with suppress(OSError):  # in a read-only folder it stays, and is ignored
            rename(path, path.with_suffix(".bad"), within=self._home)
            self._known.discard(path.name)


@dataclass
class _Shard:
    path: Path
    start: int  # position of its first row
    count: int  # rows
    width: int  # columns
    offset: int  # bytes before the first row
    verified: bool = False  # its bytes have the sha256 in its name

    def rows(self) -> np.ndarray:
        """Memory map of the rows, opened at each call: an open map holds a file handle, and a process has 1,024."""
        check_regular(self.path)
        mapped = np.memmap(self.path, "<f4", mode="r", offset=self.offset, shape=(self.count, self.width))
        return mapped.view(np.ndarray)


def _open_shard(path: Path, key: str, start: int) -> tuple[_Shard, list[bytes]]:
    """Reads the header and the digests of a shard, but not its rows."""
    check_regular(path)
    with safe_open(path, framework="numpy") as file:  # refuses offsets that leave the file, holes and overlaps
        rows, digests = file.get_slice("rows"), file.get_slice("digests")
        count, width = rows.get_shape()
        if (file.metadata() or {}).get("description") != key:
            raise ValueError("a shard of another cache")
        if (rows.get_dtype(), digests.get_dtype(), digests.get_shape()) != ("F32", "U8", [count, _DIGEST_SIZE]):
            raise ValueError("not the tensors of a shard")
        names: list[bytes] = file.get_tensor("digests").reshape(-1).view(f"V{_DIGEST_SIZE}").tolist()
    with open_regular(path) as stream:  # safetensors does not give a tensor's position in the file
        size = int.from_bytes(stream.read(8), "little")
        offset = 8 + size + json.loads(stream.read(size))["rows"]["data_offsets"][0]
    return _Shard(path, start, count, width, offset), names


def _is_intact(path: Path) -> bool:
    with open_regular(path) as file:
        return path.name == f"shard-{hashlib.file_digest(file, 'sha256').hexdigest()}.safetensors"


def _verify(path: Path) -> bool | None:
    """Whether the file is intact; None if it cannot be read."""
    try:
        return _is_intact(path)
    except OSError:
        return None


def _key(description: Mapping[str, object]) -> str:
    """Digest of the canonical JSON: the same for equal descriptions, whatever the order of their keys."""
    content = [_LAYOUT, dict(description)]
    text = json.dumps(content, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
