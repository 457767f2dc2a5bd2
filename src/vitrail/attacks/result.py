"""The result of an attack, and its cost."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from vitrail.attacks.criterion import Flags
from vitrail.tensors import Images, Labels, Scores


@dataclass(frozen=True)
class AttackResult:
    """Adversarial images.

    Attributes:
        clean: (N, 3, H, W), the images before the attack.
        images: (N, 3, H, W), in [0, 1]: the best adversarial image; without success, the last image tried.
        success: (N,), whether the network's logits of `images` meet the criterion.
        steps: (N,), updates of the image; 0 where the clean image meets the criterion.
        forwards, backwards: (N,), forward passes and gradients. One more forward pass of one image per run measures
            the memory.
        margin_history: (T, N), the criterion's margin at each gradient, in logits; NaN once an image is finished.
    """

    clean: Images
    images: Images
    success: Flags
    steps: Labels
    forwards: Labels
    backwards: Labels
    margin_history: Float[Tensor, "step batch"]

    def l2(self) -> Scores:
        """L2 norm of each perturbation, (N,), in pixel intensity."""
        return (self.images - self.clean).square().sum(dim=(1, 2, 3)).sqrt()

    def linf(self) -> Scores:
        """L-infinity norm of each perturbation, (N,), in pixel intensity."""
        return (self.images - self.clean).flatten(1).abs().amax(dim=1)
