"""All kinds of work, small, and the numbers of their results: what is compared between the CPU and a pretended GPU."""

import vitrail
from vitrail.attacks import ATTACKS
from vitrail.attributions import ATTRIBUTIONS
from vitrail.gan_architectures import GANS
from vitrail.gan_training import LOSSES
from vitrail.result_differences import MEASURED, PLACES

METHODS = [name for name in ATTRIBUTIONS if not name.endswith(":")]
SMALL = {"size": 16, "epochs": 1, "batch": 8, "width": 4, "latent_size": 8, "eval_samples": 8, "final_eval_samples": 8}
GAN = {**SMALL, "autotune": False, "encoder_epochs": 0, "feature_extractor": "tiny"}
SMALLEST = {"projected": 32}  # side of the images, where 16 pixels are too few
LIMITED = {"fgsm": 4 / 255, "pgd": 4 / 255, "apgd": 4 / 255}
"""Epsilon of the attacks that need one."""
WORK = {
    "classify": ("classify", {"images": "IMAGES"}),
    "transfer": ("transfer", {"folder": "DATA", "layer": ("features",), "use_cache": False}),
    "fine-tune": (
        "transfer",
        {"folder": "DATA", "head": "fine-tune", "train_layers": "all", "epochs": 1, "use_cache": False},
    ),
    "check": ("check", {"folder": "DATA", "use_cache": False}),
    "randomisation": ("explain", {"images": "IMAGES", "randomisation_test": True}),
    "audit": ("audit", {"folder": "TEST", "max_images": 3, "linf": (2 / 255,), "l2": (0.5,)}),
    **{f"explain {name}": ("explain", {"images": "IMAGES", "method": (name,), "samples": 8}) for name in METHODS},
    **{
        f"attack {name}": ("attack", {"images": "IMAGES", "method": name, "steps": 6, "epsilon": LIMITED.get(name)})
        for name in ATTACKS
    },
    **{
        f"visualise {name}": ("visualise", {"classes": ("across",), "method": name, "steps": 6, "judge": "none"})
        for name in ("fourier", "maco", "pixels")
    },
    **{
        f"gan {name}": ("gan-train", {"data": "DATA", "architecture": name, **GAN, "size": SMALLEST.get(name, 16)})
        for name in GANS
    },
    **{f"gan {name}": ("gan-train", {"data": "DATA", "loss": name, **GAN}) for name in LOSSES},
}


DRAWN = {"gan conditional-mlp", "gan projected"}
"""Work whose numbers differ by device, as on a real GPU: dropout draws others, or rounding grows with the steps."""


def run(name, device, stripes, folder, **changed):
    """The result of some work on a device."""
    task, settings = WORK[name]
    places = {"IMAGES": (stripes / "test" / "noise",), "DATA": stripes, "TEST": stripes / "test"}
    settings = {key: places.get(value, value) if isinstance(value, str) else value for key, value in settings.items()}
    if task == "gan-train":
        settings |= {"data": str(stripes), "cache": folder / "cache"}
    else:
        settings["backbone"] = "tiny"
    return vitrail.run(task, run_dir=folder / "run", device=device, **(settings | changed)).result


def numbers(value, place=""):
    """Every number of a result by its place, without those that describe the machine."""
    if isinstance(value, dict):
        for key, each in value.items():
            if key not in MEASURED | PLACES:
                yield from numbers(each, f"{place}.{key}")
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            yield from numbers(each, f"{place}[{index}]")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place, value


QUICK = {"classify", "transfer", "fine-tune", "explain grad-cam", "attack minimal-l2", "gan conditional-dcgan"}
"""Work that is quick enough for `make test`."""
