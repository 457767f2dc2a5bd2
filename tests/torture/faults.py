"""Disks that fail: what is played at the one place where files are written, and wherever files are read."""

import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrail import files

WRITES, READS = 0, 1  # places of the counts


def play(fault: Mapping[str, Any], home: Path, counts: Any) -> None:
    """Counts writes, and reads of what lies below `home`, from now on; and lets one of them fail.

    Args:
        fault: `at`: which one, from 1 (0: none); `lasts`: whether all later ones fail too; `kind`: "kill", "error"
            (with an `errno`) or "slow" (by `seconds`) of writes; "read-error" or "read-short" of reads.
        counts: two numbers, shared with whoever wants to know.
    """
    kind = str(fault.get("kind", ""))
    _play_writes(kind.removeprefix("write-"), fault, counts)
    _play_reads(kind, fault, home, counts)


def _is_hit(count: int, fault: Mapping[str, Any]) -> bool:
    return count == fault.get("at") or (bool(fault.get("lasts")) and 0 < fault["at"] < count)


def _play_writes(kind: str, fault: Mapping[str, Any], counts: Any) -> None:
    write = files._write_all

    def faulty(descriptor: int, data: Any) -> None:
        counts[WRITES] += 1
        if kind.startswith("read") or not _is_hit(counts[WRITES], fault):
            return write(descriptor, data)
        if kind == "slow":
            time.sleep(fault["seconds"])
            return write(descriptor, data)
        write(descriptor, memoryview(data).cast("B")[: len(data) // 2])
        if kind == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(fault["errno"], os.strerror(fault["errno"]))

    files._write_all = faulty


def _play_reads(kind: str, fault: Mapping[str, Any], home: Path, counts: Any) -> None:
    read_bytes, open_file = Path.read_bytes, Path.open

    def hit(path: Path, kind_here: str) -> bool:
        if not path.absolute().is_relative_to(home):
            return False
        counts[READS] += 1
        if kind != kind_here and not (kind == "read-error" and kind_here == "read-short"):
            return False
        return _is_hit(counts[READS], fault)

    def faulty_read(path: Path) -> bytes:
        if not hit(path, "read-short"):
            return read_bytes(path)
        if kind == "read-short":
            data = read_bytes(path)
            return data[: len(data) // 2]
        raise OSError(fault["errno"], os.strerror(fault["errno"]), str(path))

    def faulty_open(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if "r" in mode and hit(path, "read-error"):
            raise OSError(fault["errno"], os.strerror(fault["errno"]), str(path))
        return open_file(path, mode, *rest, **named)

    Path.read_bytes = faulty_read  # type: ignore[method-assign]
    Path.open = faulty_open  # type: ignore[method-assign,assignment]
