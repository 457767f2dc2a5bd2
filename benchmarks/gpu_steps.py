"""The steps of `benchmarks/gpu.py`: what each kind of work is run with, and the same at its smallest."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from vitrail.attacks import ATTACKS
from vitrail.attributions import ATTRIBUTIONS
from vitrail.gan_architectures import GANS
from vitrail.gan_training import LOSSES

METHODS = ",".join(name for name in ATTRIBUTIONS if not name.endswith(":"))
GAN = {"epochs": 2, "final_eval_samples": 256, "eval_samples": 128, "evaluate_every": 1}
TINY_GAN = {"epochs": 1, "width": 4, "batch": 8, "autotune": False, "feature_extractor": "squeezenet",
            "final_eval_samples": 8, "eval_samples": 8}  # fmt: skip
TINY = {  # settings of the smallest run of each task
    "explain": {"method": "grad-cam,smooth-grad", "samples": 2, "faithfulness": False, "backbone": "squeezenet"},
    "attack": {"steps": 2, "backbone": "squeezenet"},
    "audit": {"max_images": 1, "backbone": "squeezenet", "linf": (4 / 255,), "l2": (0.5,)},
    "visualise": {"steps": 2, "judge": "none", "backbone": "squeezenet"},
    "transfer": {"backbone": "squeezenet", "layer": ("fire9",), "epochs": 1},
    "gan-train": {**TINY_GAN, "encoder_epochs": 1},
    "gan-sweep": TINY_GAN,
    "gan-evaluate": {"samples": 8},
    "gan-edit": {"inversion_steps": 2},
}


@dataclass(frozen=True)
class Step:
    """A task and its settings; `needs` names a step of the same device whose run folder it takes, as `setting`."""

    name: str
    task: str
    settings: dict[str, Any]
    needs: str = ""
    setting: str = "generator"


def steps(data: Path) -> Iterator[Step]:
    """The work of the three labs, in the order in which a run is needed by the next."""
    photos = sorted((data / "photos").glob("*.*"))
    scene15, faces = data / "scene15", data / "faces"
    yield Step("classify", "classify", {"images": photos})
    yield Step("transfer", "transfer", {"folder": scene15, "use_cache": False})
    yield Step(
        "transfer-squeezenet",
        "transfer",
        {"folder": scene15, "backbone": "squeezenet", "layer": ("fire9",), "use_cache": False},
    )
    yield Step(
        "transfer-fine-tune",
        "transfer",
        {"folder": scene15, "head": "fine-tune", "epochs": 2, "use_cache": False},
    )
    yield Step("predict", "predict", {"images": photos, "use_cache": False}, "transfer", "classifier")
    for backbone in ("efficientnet-lite0", "squeezenet"):
        explained = {"images": photos[:2], "method": METHODS, "samples": 32, "backbone": backbone}
        yield Step(f"explain-{backbone}", "explain", explained)
    yield Step("explain-run", "explain", {"images": photos[:2], "randomisation_test": True}, "transfer", "backbone")
    for method in ATTACKS:
        limited = {"epsilon": 2 / 255} if method in ("fgsm", "pgd", "apgd") else {}
        attacked = {"images": photos[:2], "method": method, "target": "tarantula", **limited}
        yield Step(f"attack-{method}", "attack", attacked)
    yield Step("audit", "audit", {"folder": data / "photos", "max_images": 4})
    for method in ("fourier", "maco", "pixels"):
        yield Step(f"visualise-{method}", "visualise", {"classes": ("tarantula",), "method": method, "steps": 50})
    for architecture in GANS:
        side = {"size": 32} if architecture == "projected" else {}
        settings = {"data": "digits", "architecture": architecture, **GAN, **side}
        yield Step(f"gan-train-{architecture}", "gan-train", settings)
    for loss in LOSSES:
        yield Step(
            f"gan-train-{loss}", "gan-train", {"data": "digits", "loss": loss, **GAN, "epochs": 1, "autotune": False}
        )
    swept = {"data": "digits", "values": ("d-steps=1,2",), **GAN, "epochs": 1}
    yield Step("gan-sweep", "gan-sweep", swept)
    yield Step("gan-train-bfloat16", "gan-train", {"data": "digits", "precision": "bfloat16", **GAN})
    trained = "gan-train-conditional-dcgan"
    yield Step("gan-sample", "gan-sample", {"count": 16, "label": ("3",)}, trained)
    yield Step("gan-evaluate", "gan-evaluate", {"samples": 256}, trained)
    yield Step("gan-interpolate", "gan-interpolate", {"steps": 4}, trained)
    yield Step("gan-export", "gan-export", {"format": "safetensors"}, trained)
    yield Step("gan-train-faces", "gan-train", {"data": str(faces), "labels": faces / "labels.csv", **GAN})
    edited = {"images": sorted((faces / "images").glob("*.*"))[:4], "attributes": ("Male=1",), "inversion_steps": 20}
    yield Step("gan-edit", "gan-edit", edited, "gan-train-faces")


def smallest(step: Step, data: Path) -> Step:
    """The same work with as little of it as there can be."""
    needed, least = dict(step.settings), dict(TINY.get(step.task, {}))
    if step.needs == "transfer":
        least.pop("backbone", None)  # it is the run's
    if step.name == "transfer-fine-tune":
        del least["layer"]
    if needed.get("data") == "digits":
        least["data"] = str(data / "scene15")
    if "label" in needed:
        least["label"] = ("grey",)
    if isinstance(needed.get("images"), list):
        least["images"] = needed["images"][:1]
    return replace(step, settings={**needed, **least})


def drawn(folder: Path) -> Path:
    """Images in the layout of DATA, drawn by chance."""
    rng = np.random.default_rng(0)

    def draw(path: Path, shade: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray((rng.integers(0, 100, (48, 64, 3)) + shade).astype(np.uint8)).save(path)

    for part, count in (("train", 6), ("test", 3)):
        for number, name in enumerate(("dark", "grey", "light")):
            for index in range(count):
                draw(folder / "scene15" / part / name / f"{index}.png", 60 * number)
    for index in range(40):
        draw(folder / "faces" / "images" / f"{index}.png", 80 * (index % 2))
    draw(folder / "photos" / "0.png", 80)
    rows = "\n".join(f"{index}.png,{index % 2},{index // 2 % 2}" for index in range(40))
    (folder / "faces" / "labels.csv").write_text(f"file,Male,Young\n{rows}\n")
    return folder
