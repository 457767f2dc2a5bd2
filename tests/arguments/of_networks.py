"""Bad networks, images, classes and options; a program of its own, as tests check types before our functions do."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from attempts import Attempt, report
from torch import nn

from vitrail import attacks, attributions
from vitrail.audit import audit_images
from vitrail.backbones.backbone import Backbone
from vitrail.visualisation import visualise

SIZE, CLASSES = 32, ("a", "b", "c")


def network() -> nn.Module:
    """A small convolutional network with batch normalisation, whose buffers would show that it was trained."""
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3), nn.ReLU())
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 3))


def wrapped(**changes: Any) -> Backbone:
    """The network as a backbone."""
    options: dict[str, Any] = {"mean": (0.5,) * 3, "std": (0.2,) * 3, "classes": CLASSES, "size": SIZE}
    return Backbone.wrap(changes.pop("model", network()), **{**options, **changes})


good = torch.rand(2, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
IMAGES = {
    "one image without a batch": good[0],
    "five axes": good[None],
    "one channel": good[:, :1],
    "four channels": torch.rand(2, 4, SIZE, SIZE),
    "channels last": good.permute(0, 2, 3, 1),
    "no width": good[..., :0],
    "8 bits": (good * 255).to(torch.uint8),
    "8 bits as float": good * 255,
    "normalised": (good - 0.5) / 0.2,
    "double": good.double(),
    "half": good.half(),
    "NaN": torch.full_like(good, torch.nan),
    "infinite": torch.full_like(good, torch.inf),
    "array": good.numpy(),
    "list": good.tolist(),
    "path": "a.png",
    "nothing": None,
    "in inference mode": torch.inference_mode()(lambda: good.clone())(),
}
HAVE_LOGITS = ("8 bits as float", "normalised", "NaN", "infinite", "in inference mode")
"""Images that a network itself takes, as torch's own do."""

LABELS = {
    "too few": torch.tensor([0]),
    "two axes": torch.tensor([[0], [1]]),
    "a number": torch.tensor(0),
    "out of range": torch.tensor([0, 3]),
    "negative": torch.tensor([0, -1]),
    "float": torch.tensor([0.0, 1.0]),
    "bool": torch.tensor([True, False]),
    "uint8": torch.tensor([0, 1], dtype=torch.uint8),
    "array": np.array([0, 1]),
    "list": [0, 1],
    "names": ["a", "b"],
}
MODELS = {"module": network(), "function": lambda x: x, "name": "squeezenet", "nothing": None}
SEEDS = {"negative": -1, "huge": 2**70, "float": 0.5, "text": "0"}
doors: dict[str, Callable[..., Any]] = {
    "explain": attributions.explain,
    "attack": attacks.attack,
    "audit_images": audit_images,
    **{name: attributions.ATTRIBUTIONS[name] for name in attributions.ATTRIBUTIONS if not name.endswith(":")},
    **{name: attacks.ATTACKS[name] for name in attacks.ATTACKS},
}


def attempts() -> Iterator[Attempt]:
    """Door, what is wrong, and the call."""
    model, labels = wrapped(), torch.tensor([0, 1])
    for door, call in doors.items():
        for name, images in IMAGES.items():
            yield door, f"images: {name}", lambda call=call, images=images: call(model, images, labels)
        for name, values in LABELS.items():
            yield door, f"labels: {name}", lambda call=call, values=values: call(model, good, values)
        for name, other in MODELS.items():
            yield door, f"model: {name}", lambda call=call, other=other: call(other, good, labels)
    for name, images in IMAGES.items():
        if name not in HAVE_LOGITS:
            yield "model", f"images: {name}", lambda images=images: model(images)
    for name, seed in SEEDS.items():
        for door in ("explain", "attack", "audit_images"):
            yield door, f"seed: {name}", lambda door=door, seed=seed: doors[door](model, good, labels, seed=seed)
        yield "visualise", f"seed: {name}", lambda seed=seed: list(visualise(model, "a", steps=1, seed=seed))
    for name, other in MODELS.items():
        yield "visualise", f"model: {name}", lambda other=other: list(visualise(other, "a", steps=1))
    yield from _options(model, labels)


def _options(model: Backbone, labels: torch.Tensor) -> Iterator[Attempt]:
    options: dict[str, list[dict[str, Any]]] = {
        "explain": [{"method": "nope"}, {"method": None}, {"method": "captum:"}, {"method": "rise", "samples": 0}]
        + [{"method": "smooth-grad", "noise": noise} for noise in (0, -1, 2, float("nan"))],
        "attack": [{"method": "nope"}, {"method": None}, {"norm": "l1"}, {"norm": None}, {"confidence": 1e30}]
        + [{"method": "pgd", "epsilon": epsilon} for epsilon in (0, -1, 3, float("nan"), float("inf"), "1")]
        + [{"method": "pgd", "steps": steps} for steps in (0, -1, 1.5)]
        + [{"method": "gradient-ascent", "step_size": step} for step in (0, float("inf"), float("nan"))],
        "audit_images": [{"epsilons": {}}, {"epsilons": {"linf": (0.1,)}}, {"method": "nope"}, {"method": None}],
        "pgd": [{"start": "nope"}],
        "deepfool": [{"candidates": 0}],
        "carlini-wagner": [{"restarts": 0}, {"learning_rate": float("nan")}],
        "occlusion": [{"window": 0}, {"stride": 0}, {"stride": 64}],
    }
    for door, each in options.items():
        for given in each:
            yield door, str(given), lambda door=door, given=given: doors[door](model, good, labels, **given)
    changes: list[dict[str, Any]] = [
        *({"std": std} for std in ((0.0, 0.2, 0.2), (float("nan"),) * 3, (0.2, 0.2), None)),
        *({"mean": mean} for mean in ((0.5, 0.5), ("a", "b", "c"), 0.5)),
        *({"classes": classes} for classes in (("a", "a", "b"), (), "abc", ("a", "b"))),
        *({"size": size} for size in (0, -1, "32", 1.5)),
        *({"model": model} for model in (None, len, "squeezenet")),
        {"feature_layers": ("nope",)},
    ]
    for change in changes:
        yield "Backbone.wrap", str(change), lambda change=change: wrapped(**change)


def main() -> None:
    """All attempts; then those of a network that was told to train."""
    before = {name: value.clone() for name, value in wrapped().state_dict().items()}
    report(attempts())
    model = wrapped()
    model.train()
    maps = [attributions.explain(model, good, method="gradient")[0].map.sum() for _ in range(2)]
    unchanged = all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    print(json.dumps({"door": "train", "same": bool(maps[0] == maps[1]), "unchanged": unchanged}))


main()
