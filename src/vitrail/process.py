"""How this process shares the machine and asks it for memory: for faces, which own their process, not for libraries."""

import ctypes
import errno
import os
import sys
import warnings
from contextlib import suppress
from typing import Any

KEPT = 1 << 30  # bytes
TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # of mallopt, see <malloc.h>


def configure_process() -> None:
    """Threads that wait sleep, and freed memory is kept, unless the user said otherwise; before torch is imported.

    What Pillow overlooks in an image, a damaged note about its camera, is no line among our own.
    """
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # Spinning, they take the cores from whatever else runs on the machine.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    keep_freed_memory()


def keep_freed_memory() -> None:
    """What is freed is kept for the next tensor, up to `KEPT`, where malloc is glibc's and not configured otherwise.

    By itself it gives blocks of some MiB back to the system at once and gets them anew at the next layer, page by page:
    a tenth of a GAN's step, and two thirds of the time of SqueezeNet's features in batches of 32.
    """
    told = {"MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_THRESHOLD_", "GLIBC_TUNABLES"} & os.environ.keys()
    if sys.platform == "linux" and not told:
        with suppress(OSError, AttributeError):  # another C library
            mallopt = ctypes.CDLL(None).mallopt
            mallopt(TRIM_THRESHOLD, KEPT)
            mallopt(MMAP_THRESHOLD, KEPT)


CONNECTIONS = frozenset(
    f"socket.{name}"
    for name in ("connect", "getaddrinfo", "gethostbyname", "gethostbyaddr", "getnameinfo", "sendto", "sendmsg")
)
"""Python's audit events of whatever reaches another process by its address, or asks for one."""


def refuse_connections() -> None:
    """From now on this process opens no connection: each is refused as if nobody listened. C code is not asked."""

    def refuse(event: str, arguments: tuple[Any, ...]) -> None:
        if event in CONNECTIONS:
            raise ConnectionRefusedError(errno.ECONNREFUSED, "the page opens no connections")

    sys.addaudithook(refuse)
