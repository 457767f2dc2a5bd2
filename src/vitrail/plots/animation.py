"""Images one after another: as a GIF, made with Pillow alone, or as an MP4, made by the program ffmpeg.

No Python package makes the MP4: the usual one (imageio-ffmpeg) brings an ffmpeg along that is built under the GPL.
"""

import shutil
import subprocess
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from vitrail.errors import MissingExtra
from vitrail.reading import LIMITS, read_bytes

LAST = 15  # times as long as the others: the end is what one wants to see
LIMIT = 600  # seconds that ffmpeg may take

Frame = UInt8[np.ndarray, "height width 3"]


def animation(images: Sequence[Frame], *, milliseconds: int = 80, last: int = LAST) -> bytes:
    """GIF that shows each image for so long, the last one longer, and begins again.

    Args:
        images: RGB, all of one size; at least one.
        last: how many times as long the last one is shown; 1 where the film has no end.
    """
    first, *others = [Image.fromarray(image) for image in images]
    durations = [milliseconds] * len(others) + [last * milliseconds]
    out = BytesIO()
    first.save(out, "GIF", save_all=True, append_images=others, duration=durations, loop=0)
    return out.getvalue()


def encode_mp4(images: Sequence[Frame], *, milliseconds: int = 80) -> bytes:
    """MP4 that shows each image for so long; an odd side gets a white line more, as most players need even ones.

    Args:
        images: RGB, all of one size; at least one.

    Raises:
        MissingExtra: there is no ffmpeg on the PATH, or it cannot make one.
    """
    program = shutil.which("ffmpeg")
    if program is None:
        raise MissingExtra("An MP4 needs the program ffmpeg, and there is none on the PATH; install it, or take a GIF.")
    height, width = images[0].shape[:2]
    wider = ((0, height % 2), (0, width % 2), (0, 0))
    content = b"".join(np.pad(image, wider, constant_values=255).tobytes() for image in images)
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-video_size", f"{width + width % 2}x{height + height % 2}"]
    heard = [*raw, "-framerate", f"1000/{milliseconds}", "-i", "pipe:0"]
    # 4 Mbit/s, as the encoder of builds without x264 would else take a twentieth of it; all players know yuv420p.
    said = ["-an", "-b:v", "4M", "-pix_fmt", "yuv420p", "-movflags", "+faststart", "-f", "mp4"]
    with TemporaryDirectory() as home:  # an MP4 cannot be written to a pipe: its beginning is written last
        path = Path(home) / "film.mp4"
        command = [program, "-hide_banner", "-loglevel", "error", "-y", *heard, *said, str(path)]
        try:
            subprocess.run(command, input=content, capture_output=True, check=True, timeout=LIMIT)
            return read_bytes(path, LIMITS["video"])
        except (OSError, subprocess.SubprocessError) as error:
            told = (getattr(error, "stderr", None) or str(error).encode()).decode(errors="replace").split()
            reason = " ".join(told)[:200]
            raise MissingExtra(f"The ffmpeg at {program} made no MP4 ({reason}); another build might.") from None
