"""The official AutoAttack (Croce & Hein, 2020, https://arxiv.org/abs/2003.01690), by the package pyautoattack."""

from __future__ import annotations

import torch

from vitrail.attacks.criterion import Flags
from vitrail.backbones.network import Network
from vitrail.errors import MissingExtra
from vitrail.tensors import Images, Labels

TARGETS = 9  # classes that its targeted attacks try, where there are as many


def survives_autoattack(network: Network, images: Images, labels: Labels, *, epsilon: float, seed: int) -> Flags:
    """Whether each image stays correctly classified under the standard AutoAttack, (N,).

    Args:
        epsilon: L-infinity, in pixel intensity.

    Raises:
        MissingExtra: pyautoattack is not installed.
    """
    try:
        from pyautoattack import AutoAttack
    except ImportError:
        raise MissingExtra("AutoAttack is not installed. Run `pip install 'vitrail[autoattack]'`.") from None
    attack = AutoAttack(network.fast, norm="Linf", eps=epsilon, seed=seed, device=network.device)
    rivals = len(network.classes) - 1
    attack.fab.n_target_classes = attack.apgd_targeted.n_target_classes = min(TARGETS, rivals)
    if rivals < 3:  # its targeted loss compares four logits
        attack.attacks_to_run.remove("apgd-t")
    with torch.random.fork_rng():  # it seeds the global generator
        adversarial, _ = attack.run_standard_evaluation(images, labels, batch_size=len(images))
    with torch.no_grad():
        return network.reference(adversarial).argmax(dim=1) == labels
