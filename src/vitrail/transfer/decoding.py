"""Image files to the pixels that a network takes, in the threads of this process or in processes of their own.

A third of the time of decoding is Python's, which runs in one thread of a process at a time: threads feed two or three
cores, whatever the machine has. That is enough for a network on the CPU and not for one on a GPU.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from jaxtyping import UInt8

from vitrail import reading
from vitrail.errors import BadImage
from vitrail.preprocessing import Preprocessing

Pixels = UInt8[np.ndarray, "3 height width"]

GROUP = 16  # images that a process decodes between two messages
START_SECONDS = 10  # of waiting still to come, from which processes are worth their start

# The paths on which modules are looked for are ours: another Python might look in the current folder first.
SERVE = "import sys; sys.path[:] = {paths!r}; from vitrail.transfer.decoding import serve; serve()"


@dataclass(frozen=True)
class Decoder:
    """Decodes, resizes and crops image files as a network's preprocessing says."""

    preprocessing: Preprocessing
    mirrored: bool = False

    def __call__(self, file: Path) -> Pixels | BadImage:
        """The pixels, all images of one size; the error if the file cannot be read."""
        from vitrail.images import read_pixels

        how = self.preprocessing
        try:
            pixels = read_pixels(file, short_side=how.short_side, crop=how.size, interpolation=how.interpolation)
        except BadImage as error:
            return error
        array: Pixels = pixels.numpy()
        return np.ascontiguousarray(array[..., ::-1]) if self.mirrored else array


class Supply:
    """Decoded images: by threads, and by processes from when those keep whoever takes the images waiting.

    Args:
        pool: the threads.
        processes: how many processes there may be; 0: threads alone.
    Attributes:
        processes: how many there are.
    """

    def __init__(self, decoder: Decoder, pool: Executor, *, processes: int) -> None:
        self._decoder, self._pool, self._allowed = decoder, pool, processes
        self._processes: DecodingProcesses | None = None
        self._count, self._waited, self._since = 0, 0.0, time.perf_counter()
        self.processes = 0

    def images(self, files: Sequence[Path]) -> Iterator[Pixels | BadImage]:
        """The pixels of each file in their order, or its error."""
        decoded = self._processes.map(self._pool, files) if self._processes else self._pool.map(self._decoder, files)
        for _ in files:
            started = time.perf_counter()
            image = next(decoded)
            self._waited += time.perf_counter() - started
            self._count += 1
            yield image

    def speed_up(self, left: int) -> None:
        """Starts processes if decoding takes most of the time, and they have `left` images to make up for their start.

        All the time since the last call counts.
        """
        if self._allowed > 1 and self._processes is None and self._worth(left):
            with suppress(OSError):  # the threads go on
                self._processes = DecodingProcesses(self._decoder, self._allowed)
                self.processes = self._allowed
        self._count, self._waited, self._since = 0, 0.0, time.perf_counter()

    def _worth(self, left: int) -> bool:
        spent = time.perf_counter() - self._since
        return self._waited > spent / 2 and left * self._waited > START_SECONDS * self._count

    def close(self) -> None:
        """Ends the processes, if there are any."""
        if self._processes is not None:
            self._processes.close()


class DecodingProcesses:
    """Processes that decode; what one that has died leaves undone is done here.

    Args:
        count: how many; each is a Python with torch, which takes seconds to start and some 300 MB.
    Raises:
        OSError: the system starts no more.
    """

    def __init__(self, decoder: Decoder, count: int) -> None:
        self._decoder = decoder
        self._idle: queue.SimpleQueue[_Process] = queue.SimpleQueue()
        self._all: list[_Process] = []
        try:
            for _ in range(count):
                self._all.append(_Process(decoder))
                self._idle.put(self._all[-1])
        except OSError:
            self.close()
            raise

    def map(self, pool: Executor, files: Sequence[Path]) -> Iterator[Pixels | BadImage]:
        """What the decoder gives for each file, in their order.

        Args:
            pool: its threads wait for the processes; as many as there are of these are kept busy.
        """
        groups = [files[start : start + GROUP] for start in range(0, len(files), GROUP)]
        for outcomes in pool.map(self._decode, groups):
            yield from outcomes

    def _decode(self, files: Sequence[Path]) -> list[Pixels | BadImage]:
        process = self._idle.get()
        try:
            return process.decode(files)
        except (OSError, ValueError):  # it was killed, or does not start
            process.close()  # its next answer may be to this question
            return [self._decoder(file) for file in files]
        finally:
            self._idle.put(process)

    def close(self) -> None:
        """Ends the processes."""
        for process in self._all:
            process.close()


class _Process:
    """One process, at the other end of two pipes; it ends with this one, however that ends."""

    def __init__(self, decoder: Decoder) -> None:
        self._size = decoder.preprocessing.size
        self._process = subprocess.Popen(
            [sys.executable, "-c", SERVE.format(paths=sys.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C on the terminal is for this process
        )
        self._questions, self._answers = cast(Any, self._process.stdin), cast(Any, self._process.stdout)
        with suppress(OSError):  # it has ended already: `decode` will notice
            _send(self._questions, {"confined_to": list(map(os.fspath, reading.confined_to())), **asdict(decoder)})

    def decode(self, files: Sequence[Path]) -> list[Pixels | BadImage]:
        """Raises `OSError` or `ValueError` if the process has ended."""
        _send(self._questions, list(map(os.fspath, files)))
        errors = json.loads(self._answers.readline())
        found = np.empty((errors.count(None), 3, self._size, self._size), np.uint8)
        if len(errors) != len(files) or _read_into(self._answers, found) < found.nbytes:
            raise ValueError("no answer to this question")
        pixels = iter(found)
        return [next(pixels) if error is None else BadImage(error.pop("message"), **error) for error in errors]

    def close(self) -> None:
        self._process.kill()
        for pipe in (self._questions, self._answers):
            with suppress(OSError):  # what was not sent is for nobody
                pipe.close()
        self._process.wait()


def serve() -> None:
    """Runs in a process of `DecodingProcesses`, until its questions end."""
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):  # the process that asks ends this one
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    from vitrail.process import configure_process

    configure_process()
    questions, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    import torch

    torch.set_num_threads(1)
    about = json.loads(questions.readline())
    reading.confine(map(Path, about["confined_to"]))
    decoder = Decoder(Preprocessing(**about["preprocessing"]), mirrored=about["mirrored"])
    try:
        for line in questions:
            _answer(answers, [decoder(Path(file)) for file in json.loads(line)])
    except BrokenPipeError:
        os._exit(0)  # nobody asks any more; to close the pipe would raise once more


def _answer(pipe: IO[bytes], outcomes: Sequence[Pixels | BadImage]) -> None:
    """A line with the error of each file, null where there is none, then the pixels of the others."""
    errors = [
        {"message": str(outcome), "kind": outcome.kind, "path": outcome.path} if isinstance(outcome, BadImage) else None
        for outcome in outcomes
    ]
    _send(pipe, errors, *(outcome.data for outcome in outcomes if not isinstance(outcome, BadImage)))


def _send(pipe: IO[bytes], message: object, *arrays: memoryview) -> None:
    pipe.write(json.dumps(message).encode() + b"\n")  # ASCII, whatever a path holds
    for array in arrays:
        pipe.write(array)
    pipe.flush()


def _read_into(pipe: IO[bytes], array: np.ndarray) -> int:
    """Fills an array with the bytes that follow; returns how many there were."""
    return pipe.readinto(array.data.cast("B")) if array.size else 0  # type: ignore[attr-defined]
