"""Images read per second on one core, and how far each way of reading is from Pillow's two steps: one JSON document.

Every way gives the same frame: short side 256, centre 224 x 224. The ways take turns on each image, so that
other work on the machine slows all alike; the figures are medians of CPU seconds.
"""

import argparse
import io
import json
import random
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torchvision.io import decode_jpeg
from torchvision.transforms.v2.functional import center_crop, resize

from vitrail.images import read_pixels, resized_size

SHORT_SIDE, CROP = 256, 224
BILINEAR = Image.Resampling.BILINEAR
Way = Callable[[bytes], torch.Tensor]

ROOT = Path(__file__).resolve().parents[1]


def vitrail(data: bytes) -> torch.Tensor:
    return read_pixels(data, short_side=SHORT_SIDE, crop=CROP)


def pillow_two_steps(data: bytes) -> torch.Tensor:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    resized = image.resize(resized_size(image.size, SHORT_SIDE), BILINEAR)
    left, top = round((resized.width - CROP) / 2), round((resized.height - CROP) / 2)
    return as_tensor(resized.crop((left, top, left + CROP, top + CROP)))


def pillow_box(data: bytes) -> torch.Tensor:
    return boxed(Image.open(io.BytesIO(data)))


def pillow_draft(data: bytes) -> torch.Tensor:
    image = Image.open(io.BytesIO(data))
    size = image.size
    image.draft(None, (2 * SHORT_SIDE, 2 * SHORT_SIDE))
    return boxed(image, size)


def pillow_reducing_gap(data: bytes) -> torch.Tensor:
    return boxed(Image.open(io.BytesIO(data)), reducing_gap=2.0)


def pillow_and_torch(data: bytes) -> torch.Tensor:
    image = Image.open(io.BytesIO(data)).convert("RGB")
    return torch_resized(as_tensor(image), image.size)


def torchvision_and_v2(data: bytes) -> torch.Tensor:
    return center_crop(resize(torchvision_decoded(data), [SHORT_SIDE]), [CROP]).contiguous()


def torchvision_and_torch(data: bytes) -> torch.Tensor:
    pixels = torchvision_decoded(data)
    return torch_resized(pixels, (pixels.shape[2], pixels.shape[1]))


def simplejpeg_and_torch(data: bytes) -> torch.Tensor:
    import simplejpeg

    pixels = torch.from_numpy(simplejpeg.decode_jpeg(data, fastdct=False, fastupsample=False)).permute(2, 0, 1)
    return torch_resized(pixels, (pixels.shape[2], pixels.shape[1]))


WAYS: tuple[Way, ...] = (
    pillow_two_steps,
    pillow_box,
    pillow_draft,
    pillow_reducing_gap,
    pillow_and_torch,
    torchvision_and_v2,
    torchvision_and_torch,
    simplejpeg_and_torch,
    vitrail,
)


def as_tensor(image: Image.Image) -> torch.Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def torchvision_decoded(data: bytes) -> torch.Tensor:
    return decode_jpeg(torch.frombuffer(bytearray(data), dtype=torch.uint8), mode="RGB")


def torch_resized(pixels: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    width, height = resized_size(size, SHORT_SIDE)
    whole = torch.nn.functional.interpolate(pixels[None], size=(height, width), mode="bilinear", antialias=True)[0]
    left, top = round((width - CROP) / 2), round((height - CROP) / 2)
    return whole[:, top : top + CROP, left : left + CROP].contiguous()


def boxed(image: Image.Image, size: tuple[int, int] | None = None, **options: float) -> torch.Tensor:
    width, height = resized_size(size or image.size, SHORT_SIDE)
    across, down = image.width / width, image.height / height
    left, top = round((width - CROP) / 2), round((height - CROP) / 2)
    box = (left * across, top * down, (left + CROP) * across, (top + CROP) * down)
    return as_tensor(image.convert("RGB").resize((CROP, CROP), BILINEAR, box=box, **options))


def synthetic(width: int, height: int) -> bytes:
    """JPEG of smooth colour with a little noise, as a camera gives."""
    generator = np.random.default_rng(0)
    coarse = generator.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)).astype(np.int16)
    noisy = smooth + generator.integers(-12, 13, (height, width, 1), dtype=np.int16)
    file = io.BytesIO()
    Image.fromarray(noisy.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    return file.getvalue()


def measured(images: list[bytes], rounds: int) -> dict[str, dict[str, float]]:
    ways = [way for way in WAYS if runs(way, images[0])]
    seconds: dict[Way, list[float]] = {way: [] for way in ways}
    for turn in range(rounds):
        for data in images:
            for way in random.Random(turn).sample(ways, len(ways)):
                start = time.process_time()
                way(data)
                seconds[way].append(time.process_time() - start)
    reference = statistics.median(seconds[pillow_two_steps])
    return {
        way.__name__: {
            "images_per_second": round(1 / statistics.median(seconds[way]), 1),
            "times_pillow_two_steps": round(reference / statistics.median(seconds[way]), 2),
            **differences(way, images),
        }
        for way in ways
    }


def differences(way: Way, images: list[bytes]) -> dict[str, float]:
    gaps = torch.stack([(way(data).int() - pillow_two_steps(data).int()).abs() for data in images])
    return {
        "mean_difference_of_255": round(gaps.float().mean().item(), 4),
        "largest_difference_of_255": int(gaps.max()),
    }


def runs(way: Way, data: bytes) -> bool:
    try:
        way(data)
    except ImportError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=ROOT.parent / "shared/data/scene15", help="folder of JPEGs")
    parser.add_argument("--images", type=int, default=60, help="how many of them")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # torchvision announces the end of its decoders
    files = sorted(arguments.data.rglob("*.jpg"))
    chosen = random.Random(0).sample(files, min(arguments.images, len(files)))
    results = {
        "500 x 375 (synthetic)": measured([synthetic(500, 375)], rounds=40),
        "4000 x 3000 (synthetic)": measured([synthetic(4000, 3000)], rounds=5),
    }
    if chosen:
        results = {arguments.data.name: measured([file.read_bytes() for file in chosen], rounds=4)} | results
    print(json.dumps({"task": "decode", "threads": 1, "frame": [SHORT_SIDE, CROP], "results": results}, indent=2))


if __name__ == "__main__":
    main()
