"""Bad options of trainings, generators and evaluations; see `of_networks`."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from attempts import Attempt, report

from vitrail import gan
from vitrail.gan.generator import Generator
from vitrail.gan.networks import build

NAN, INF = float("nan"), float("inf")
COUNTS: tuple[Any, ...] = (0, -1, 1.5, "2", None, NAN, True)
POSITIVE: tuple[Any, ...] = (0, -1, NAN, INF, "1", None)
SHARES: tuple[Any, ...] = (-0.1, 1, 2, NAN, INF, "0.5")
PATHS: tuple[Any, ...] = (None, 3, b"run", "", [])

DATA_OF_TRAINING: dict[str, tuple[Any, ...]] = {
    "batch": (*COUNTS, 1),
    "epochs": COUNTS,
    "seed": (-1, 0.5, 2**70, "0"),
    "keep_checkpoints": COUNTS,
    "on_alarm": ("nope", None),
    "device": ("nope", None, 3),
    "resume": ("", 3, "no such run", "x" * 300),
}
OPTIONS: dict[Any, dict[str, tuple[Any, ...]]] = {
    gan.TrainingOptions: {
        "loss": ("nope", None),
        "label_smoothing": SHARES,
        "ema_decay": SHARES,
        "gradient_penalty": (-1, NAN, INF, "1"),
    },
    gan.OptimizerOptions: {"updates": COUNTS, "learning_rate": POSITIVE, "beta1": SHARES, "beta2": SHARES},
    gan.NetworkOptions: {"architecture": ("nope", None), "latent_size": COUNTS, "width": (0, -1, 1.5, "2")},
    gan.EvaluationOptions: {"samples": COUNTS, "final_samples": COUNTS, "every": (0, -1, 0.5)},
}


def generator(names: tuple[str, ...], *, attributes: bool = False) -> Generator:
    """An untrained generator of grey images of 16 pixels, in a folder that holds nothing."""
    description = {
        "architecture": "conditional-dcgan" if names else "dcgan",
        "arguments": {
            **{"size": 16, "channels": 1, "latent_size": 4, "width": 4},
            **{"generator_classes": len(names), "discriminator_classes": len(names)},
        },
        "names": list(names),
        "attributes": attributes,
        "condition": [[[-1, 1], 2], [[1, 1], 3]] if attributes else [[0, 2], [1, 3]] if names else [],
    }
    network = build(description).generator.eval().requires_grad_(False)
    return Generator(network, description, Path(tempfile.mkdtemp()), is_final=True)


def attempts() -> Iterator[Attempt]:
    """All attempts."""
    for kind, fields in OPTIONS.items():
        for field, values in fields.items():
            for value in values:
                yield kind.__name__, f"{field}={value!r}", lambda k=kind, f=field, v=value: k(**{f: v})
    for field, values in DATA_OF_TRAINING.items():
        for value in values:
            yield "train", f"{field}={value!r}", lambda f=field, v=value: next(gan.train("digits", **{f: v}))
    for path in (*PATHS, "x" * 300, "no such folder"):
        yield "load", repr(path)[:20], lambda path=path: gan.load(path)
        yield "train", repr(path)[:20], lambda path=path: next(gan.train(path))
    free, cats, faces = generator(()), generator(("cat", "dog")), generator(("Male", "Young"), attributes=True)
    yield from _samples(free, cats, faces)
    for other in ("runs/gan", None, cats.network, 3):
        yield "evaluate", repr(other)[:20], lambda other=other: next(gan.evaluate(other, "digits"))
    for samples in (*COUNTS, 1):
        yield "evaluate", f"samples={samples}", lambda n=samples: next(gan.evaluate(cats, "digits", samples=n))


def _samples(free: Generator, cats: Generator, faces: Generator) -> Iterator[Attempt]:
    for n in COUNTS:
        yield "sample", f"n={n}", lambda n=n: free.sample(n)
        yield "interpolate", f"steps={n}", lambda n=n: free.interpolate((0, 1), steps=n)
    for seed in (-1, 0.5, "0", 2**70):
        yield "sample", f"seed={seed}", lambda seed=seed: free.sample(1, seed=seed)
        yield "interpolate", f"seeds={seed}", lambda seed=seed: free.interpolate((0, seed))
    for seeds in (5, None, (), (1,), (1, 1), "01"):
        yield "interpolate", f"seeds={seeds}", lambda seeds=seeds: free.interpolate(seeds)
    for label in ("cat", 3, ["cat", "dog"], {"cat": 1}, {"Male": 2}, {"Old": 1}, [1], b"cat"):
        yield "sample without labels", repr(label), lambda label=label: free.sample(1, label=label)
        if label != "cat":
            yield "sample of classes", repr(label), lambda label=label: cats.sample(1, label=label)
        yield "sample of attributes", repr(label), lambda label=label: faces.sample(1, label=label)
        yield "interpolate", repr(label), lambda label=label: free.interpolate((0, 1), label=label)
    for format in ("nope", None, "", 3):
        yield "export", repr(format), lambda format=format: free.export(tempfile.mkdtemp(), format=format)
    good = torch.rand(2, 3, 16, 16)
    images = (
        good[0],
        good[:, :1],
        good * 255,
        (good * 255).byte(),
        good * torch.nan,
        "a.png",
        None,
        good[:0],
        good.numpy(),
    )
    for image in images:
        yield "edit", str(image)[:20], lambda image=image: faces.edit(image, {"Male": 1})
    for edits in ({}, None, {"Male": 2}, {"Old": 1}, "Male", 3):
        yield "edit", repr(edits), lambda edits=edits: faces.edit(good, edits)


report(attempts())
