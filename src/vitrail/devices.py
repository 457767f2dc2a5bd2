"""Choose a device, seed everything."""

from __future__ import annotations

import os
import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from vitrail.errors import BadSetting, VitrailError, one_line
from vitrail.validation import describe

if TYPE_CHECKING:
    import torch
    from torch import Tensor


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
        torch.empty(1, device=name).tolist()  # on "meta" there are no values
    except (RuntimeError, AssertionError):
        here = ["auto", "cpu", *(f"cuda:{index}" for index in range(torch.cuda.device_count()))]
        known = f"{', '.join(here[:-1])} or {here[-1]}"
        raise BadSetting(f"There is no device {name!r} on this machine. Use {known}.") from None
    return "cpu" if name.startswith("cpu:") else name  # it has no numbers


def seed_everything(seed: int) -> None:
    """Sets the seeds of Python, NumPy and torch (all devices)."""
    import numpy as np
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


def to_float64(values: Tensor) -> Tensor:
    """The values in float64, on their device; on the CPU where the device has no such numbers (MPS)."""
    return (values.cpu() if values.device.type == "mps" else values).double()


def copy_unwaited(values: Tensor, device: torch.device) -> Tensor:
    """The values on a device, with their copy still under way if they came from the CPU to a CUDA device.

    Whatever uses them there comes after it; from memory that is not pinned the host would wait for all work before.
    """
    pinned = values.pin_memory() if values.device.type == "cpu" and device.type == "cuda" else values
    return pinned.to(device, non_blocking=True)


@contextmanager
def repeatable_on_gpu() -> Iterator[None]:
    """Within, a GPU computes and adds in a fixed order where PyTorch knows how, so that equal work gives equal bits.

    Where it does not know how, it goes on as it would, without the warning. The settings are put back afterwards.
    """
    import torch

    if not torch.cuda.is_available():
        yield
        return
    memory: Any = torch.utils.deterministic
    before = torch.get_deterministic_debug_mode(), memory.fill_uninitialized_memory, torch.backends.cudnn.benchmark
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # read when the first product is computed
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*deterministic")
        try:
            torch.use_deterministic_algorithms(True, warn_only=True)
            memory.fill_uninitialized_memory, torch.backends.cudnn.benchmark = False, False
            yield
        finally:
            torch.set_deterministic_debug_mode(before[0])
            memory.fill_uninitialized_memory, torch.backends.cudnn.benchmark = before[1:]


def check_bfloat16(device: str) -> None:
    """Raises `BadSetting` where a device has no bfloat16, as MPS before macOS 14."""
    import torch

    try:
        torch.ones(1, device=device, dtype=torch.bfloat16).sum()
    except (RuntimeError, TypeError):
        raise BadSetting(f"This device has no bfloat16; got device {device!r}. Use --precision float32.") from None


@contextmanager
def missing_operations_as_bad_settings() -> Iterator[None]:
    """Within, what MPS lacks (an operation, a number type) is a `BadSetting` that names it and another device."""
    try:
        yield
    except (NotImplementedError, RuntimeError, TypeError) as error:
        if isinstance(error, VitrailError) or "MPS" not in str(error):
            raise
        reason = one_line(error).rstrip(".")
        raise BadSetting(
            f"The device 'mps' lacks something that this work needs: {reason}. Use --device cpu."
        ) from error


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
