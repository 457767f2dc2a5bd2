"""What an attack found, and what it cost."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

from vitrail.attacks.goal import Flags
from vitrail.tensors import Images, Labels, Scores


@dataclass(frozen=True)
class Attacked:
    """The images after an attack.

    Attributes:
        clean: (N, 3, H, W), the images before it.
        images: (N, 3, H, W), in [0, 1]: the best found where the goal is reached, the last one tried elsewhere.
        reached: (N,), whether the network says of `images` what the goal wants.
        steps: (N,), how often the image was moved; 0 where the clean one already fools the network.
        forwards, backwards: (N,), how often it went through the network, and how many gradients went back through
            it. One image more goes through in every run, to measure the memory that it takes.
        path: (T, N), the goal's objective at each step, in logits; NaN once an image is finished.
    """

    clean: Images
    images: Images
    reached: Flags
    steps: Labels
    forwards: Labels
    backwards: Labels
    path: Float[Tensor, "step batch"]

    def l2(self) -> Scores:
        """Length of the change, (N,), in pixel intensity."""
        return (self.images - self.clean).square().sum(dim=(1, 2, 3)).sqrt()

    def linf(self) -> Scores:
        """Largest change of a value, (N,), in pixel intensity."""
        return (self.images - self.clean).flatten(1).abs().amax(dim=1)
