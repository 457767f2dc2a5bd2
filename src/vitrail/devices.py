"""Choose a device, seed everything."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from vitrail.errors import BadSetting
from vitrail.validation import describe


def choose_device(name: str) -> str:
    """`"auto"` as the best device there is, any other name checked.

    Raises:
        BadSetting: torch knows no such device, or this machine has none.
    """
    import torch

    if not isinstance(name, str):
        raise BadSetting(f"device must be a name; got {describe(name)}. Use auto, cpu or cuda.")
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(1, device=name)
    except (RuntimeError, AssertionError):
        here = ["auto", "cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
        known = f"{', '.join(here[:-1])} or {here[-1]}"
        raise BadSetting(f"There is no device {name!r} on this machine. Use {known}.") from None
    return name


def seed_everything(seed: int) -> None:
    """Sets the seeds of Python, NumPy and torch (all devices)."""
    import torch

    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


@contextmanager
def full_float32() -> Iterator[None]:
    """Within, a GPU's products of float32 are computed in float32; afterwards as before.

    By default cuDNN's convolutions round their factors to 10 bits (TF32). The result then depends on the batch that an
    image is part of: up to half of the images that a minimal-norm attack left at the decision boundary were back on
    the other side in another batch.
    """
    import torch

    kinds = (torch.backends.cudnn.conv, torch.backends.cuda.matmul)  # type: ignore[attr-defined]
    before = [kind.fp32_precision for kind in kinds]
    try:
        for kind in kinds:
            kind.fp32_precision = "ieee"
        yield
    finally:
        for kind, precision in zip(kinds, before, strict=True):
            kind.fp32_precision = precision


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error means that the memory of a device, or of the machine, is used up."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    # torch has no class for a failed allocation on the CPU: a bare RuntimeError that names its allocator.
    return isinstance(error, RuntimeError) and "DefaultCPUAllocator" in str(error)


def cpu_count() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
