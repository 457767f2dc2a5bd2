"""Adversarial images: files that a network classifies as another class, each verified after saving."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

from vitrail.attacks import ATTACKS, DEFAULT_ATTACK
from vitrail.backbones import DEFAULT_BACKBONE
from vitrail.events import Event, Progress, Result, skipped_notes
from vitrail.registry import display_name
from vitrail.settings import (
    DATA,
    METHOD,
    NETWORK,
    OPTIMISATION,
    OUTPUT,
    Quotient,
    device_setting,
    memory_setting,
    seed_setting,
    setting,
    weights_setting,
)
from vitrail.task import Task


class Attack(Task):
    """Make adversarial images: nearly the same images, of another class to the network; each saved file is verified."""

    images: tuple[Path, ...] = setting(
        ..., "Images, folders of images, tar files, or patterns", panel=DATA, positional=True, place="images"
    )
    target: tuple[str, ...] = setting(
        ("@any",), "Target class, by name or number, or one per image: a,b; @any: untargeted", panel=METHOD
    )
    method: str = setting(DEFAULT_ATTACK, f"Attack: {', '.join(map(display_name, ATTACKS))}", panel=METHOD)
    epsilon: Quotient | None = setting(
        None, "Largest norm of the perturbation, in pixel intensity, e.g. 8/255; fgsm, pgd and apgd need it", gt=0
    )
    norm: Literal["linf", "l2"] = setting("linf", "Norm that epsilon limits, of fgsm, pgd, apgd and deepfool")
    confidence: float = setting(0.0, "Required margin of the new class over all others, in logits", ge=0, le=1e4)
    steps: int | None = setting(None, "Number of steps at most; default: the attack's own", panel=OPTIMISATION, ge=1)
    step_size: float | None = setting(
        None,
        "Step size: of gradient-ascent in units of 0.226 in intensity (default: 0.5), of pgd as a share of epsilon "
        "(default: 0.25)",
        panel=OPTIMISATION,
        gt=0,
    )
    backbone: str = setting(
        DEFAULT_BACKBONE, "Network, by name, or a run folder of `vitrail transfer`", panel=NETWORK, place="path"
    )
    weights: Path | None = weights_setting()
    magnify: float = setting(10.0, "Factor by which plots amplify the perturbation", panel=OUTPUT, gt=0)
    preview_every: float | None = setting(
        None, "Seconds between previews of a single image, in live/; default: none", panel=OUTPUT, gt=0
    )
    seed: int = seed_setting("random starts (apgd)")
    memory: int = memory_setting()
    device: str = device_setting()

    def run(self) -> Iterator[Event]:
        """Yields adversarial images, plots and a table; the last event is the `Result`."""
        from vitrail.attacks.file_result import AttackPreview, FileAttackResult
        from vitrail.attacks.image_files import FileAttack
        from vitrail.datasets.data_card import image_card
        from vitrail.folder_walk import LeftOut
        from vitrail.image_ascent.batching import MIB
        from vitrail.image_files import find_images, none_readable
        from vitrail.interrupts import until_stopped
        from vitrail.tasks.attack_report import Report
        from vitrail.transfer.classifier import open_network

        started = time.perf_counter()
        ATTACKS.check(self.method)
        left_out = LeftOut()
        files = find_images(self.images, left_out)
        network = open_network(self.backbone, weights=self.weights, device=self.device)
        attack = FileAttack(
            network,
            files,
            targets=self.target,
            method=self.method,
            norm=self.norm,
            epsilon=self.epsilon,
            confidence=self.confidence,
            steps=self.steps,
            step_size=self.step_size,
            seed=self.seed,
            memory=self.memory * MIB,
            preview_every=self.preview_every,
        )
        report = Report(method=self.method, backbone=self.backbone, magnify=self.magnify)
        skipped: list[Mapping[str, str]] = []

        def images() -> Iterator[Event]:
            for item in attack.run():
                if isinstance(item, Progress):
                    yield item
                elif isinstance(item, AttackPreview):
                    yield from report.preview(item)
                elif isinstance(item, FileAttackResult):
                    yield from report.add(item)
                else:
                    skipped.append(item)

        yield from until_stopped(images(), lambda: len(report.images))
        yield from skipped_notes(skipped)
        if not report.images:
            raise none_readable(skipped)
        yield from report.finish()
        card = image_card(self.images, len(report.images), left_out, len(skipped))
        yield report.summary(card)
        yield Result(
            {
                "backbone": [network.identity],
                "device": network.device,
                "data": card.values(),
                "skipped": skipped,
                "images": report.images,
                "seconds": {"total": time.perf_counter() - started},
            }
        )
