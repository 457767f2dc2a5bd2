"""Disks that fail: played at the one place where files are written, and where Python opens files to read."""

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
        fault: `kind`: "kill", "write-error" (an `errno`, half of the bytes being written) or "write-slow" (by
            `seconds`); "read-error" (an `errno`) or "read-short" (half of the bytes); `at`: which one, from 1;
            `lasts`: whether all later ones fail too.
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
    read_bytes, open_file = Path.read_bytes, Path.open

    def is_ours(path: Path) -> bool:
        return path.absolute().is_relative_to(home) and path.parent.suffix != ".dist-info"

    def is_hit(path: Path, kind: str) -> bool:
        return fault.get("kind") == kind and is_ours(path) and _is_hit(counts[READS], fault)

    def faulty_open(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if "r" in mode:
            counts[READS] += is_ours(path)
            if is_hit(path, "read-error"):
                raise OSError(fault["errno"], os.strerror(fault["errno"]), str(path))
        return open_file(path, mode, *rest, **named)

    def cut_short(path: Path) -> bytes:
        data = read_bytes(path)  # which opens it, and so is counted
        return data[: len(data) // 2] if is_hit(path, "read-short") else data

    Path.open = faulty_open  # type: ignore[method-assign,assignment]
    Path.read_bytes = cut_short  # type: ignore[method-assign]
