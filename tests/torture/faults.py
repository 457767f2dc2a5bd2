"""Disks that fail: played at the one place where files are written, and where they are opened to be read."""

import os
import signal
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from vitrail import files, reading

WRITES, READS = 0, 1  # places of the counts


def play(fault: Mapping[str, Any], home: Path, counts: Any) -> None:
    """Counts writes, and reads of what lies below `home`, from now on; and lets one of them fail.

    Args:
        fault: `kind`: "kill", "write-error" (an `errno`, half of the bytes being written) or "write-slow" (by
            `seconds`); "read-error" (an `errno`) or "read-short" (half of the bytes are there);
            `at`: which one, from 1; `lasts`: whether all later ones fail too.
        counts: two numbers, shared with whoever wants to know.
    """
    kind = fault.get("kind", "")
    _play_writes({} if kind.startswith("read") else fault, counts)
    _play_reads(fault if kind.startswith("read") else {}, home, counts)


def _is_hit(count: int, fault: Mapping[str, Any]) -> bool:
    return bool(fault) and (count == fault["at"] or (fault.get("lasts", False) and count > fault["at"]))


def _play_writes(fault: Mapping[str, Any], counts: Any) -> None:
    write = files.write_all

    def faulty(descriptor: int, data: Any) -> None:
        counts[WRITES] += 1
        if not _is_hit(counts[WRITES], fault):
            return write(descriptor, data)
        if fault["kind"] == "write-slow":
            time.sleep(fault["seconds"])
            return write(descriptor, data)
        write(descriptor, memoryview(data).cast("B")[: len(data) // 2])
        if fault["kind"] == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        raise OSError(fault["errno"], os.strerror(fault["errno"]))

    files.write_all = faulty


def _play_reads(fault: Mapping[str, Any], home: Path, counts: Any) -> None:
    descriptor = reading._descriptor

    def faulty(path: Any, within: Any) -> int:
        place = Path(path).absolute()
        if not place.is_relative_to(home) or place.parent.suffix == ".dist-info":
            return descriptor(path, within)
        counts[READS] += 1
        if not _is_hit(counts[READS], fault):
            return descriptor(path, within)
        if fault["kind"] == "read-error":
            raise OSError(fault["errno"], os.strerror(fault["errno"]), str(path))
        return _first_half(descriptor(path, within))

    reading._descriptor = faulty


def _first_half(descriptor: int) -> int:
    """A file with the first half of what the descriptor, which is closed, would give."""
    with os.fdopen(descriptor, "rb") as file:
        data = file.read()
    with tempfile.TemporaryFile() as half:
        half.write(data[: len(data) // 2])
        half.seek(0)
        return os.dup(half.fileno())
