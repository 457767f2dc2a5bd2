"""A process that reads hostile images, one after the other, and says what came of each: it may die, its parent not.

    python image_reader.py FOLDER SEED simplejpeg|pillow [--large] < numbers of images, one a line

Each answer is a line of JSON: `what` (right, refused, wrong, crashed), `said`, `seconds` of processor time, their share
of the most that is allowed (`yardstick`), `megabytes` at the peak above the process that has read nothing yet, which is
torch.
"""

import json
import resource
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from hostile_images import Hostile, hostile_images
from yardstick import most_seconds

from vitrail import decoding
from vitrail.errors import BadImage
from vitrail.images import read_pixels

KILLED_AFTER = 10  # times what is allowed: an end of what has none
MOST_BYTES = 3 << 30  # more than this process has already


def judged(hostile: Hostile, pixels: np.ndarray) -> tuple[str, str]:
    """What it is that came out: (right or wrong, why)."""
    if hostile.answer is None:
        return "wrong", f"was read, as {pixels.shape}"
    if pixels.shape != hostile.answer.shape:
        return "wrong", f"came as {pixels.shape}, not {hostile.answer.shape}"
    if pixels.size > 10_000_000:  # all pixels of a large one are the same
        pixels, answer = pixels[::500, ::500], hostile.answer[::500, ::500]
    else:
        answer = hostile.answer
    known = ~np.isnan(answer)
    worst = np.abs(pixels.astype(float) - answer)[known].max(initial=0)
    return ("right", "") if worst <= hostile.tolerance else ("wrong", f"is {worst:.0f} of 255 off")


def outcome(hostile: Hostile, path: Path) -> tuple[str, str]:
    name = decoding.display_name(path)
    try:
        framed = read_pixels(path, short_side=64, crop=56)
        assert framed.shape == (3, 56, 56)
        del framed
        return judged(hostile, read_pixels(path).permute(1, 2, 0).numpy())
    except BadImage as error:
        said = str(error)
        if isinstance(error.__cause__, MemoryError):
            return "crashed", f"asked for more than {MOST_BYTES} bytes"
        if hostile.answer is not None and not hostile.may_refuse:
            return "wrong", f"was refused: {said}"
        one_sentence = said.isprintable() and ". Use " in said and said.startswith(f"'{name}'")
        return ("refused", said) if one_sentence else ("wrong", f"was refused by {said!r}")
    except Exception as error:
        return "crashed", repr(error)


def measured(hostile: Hostile, folder: Path, idle: int, most: float) -> dict[str, Any]:
    Path("/proc/self/clear_refs").write_text("5")  # the peak is counted from here
    signal.setitimer(signal.ITIMER_PROF, KILLED_AFTER * most)
    started = time.process_time()
    what, said = outcome(hostile, folder / hostile.name)
    seconds = time.process_time() - started
    signal.setitimer(signal.ITIMER_PROF, 0)
    megabytes = (status("VmHWM") - idle) / 1024
    return {"what": what, "said": said, "seconds": seconds, "share": seconds / most, "megabytes": megabytes}


def status(name: str) -> int:
    """A line of this process's status, in KiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(name)).split()[1])


def main(folder: Path, seed: int, decoder: str, large: bool) -> None:
    warnings.filterwarnings("ignore", module=r"PIL\.")
    if decoder == "pillow":
        decoding.find_simplejpeg = lambda: None  # type: ignore[assignment]
    hostile = list(hostile_images(seed, large=large))
    resource.setrlimit(resource.RLIMIT_AS, (status("VmSize") * 1024 + MOST_BYTES,) * 2)
    most, idle = most_seconds(), status("VmRSS")
    for line in sys.stdin:
        print(json.dumps(measured(hostile[int(line)], folder, idle, most)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], "--large" in sys.argv)
