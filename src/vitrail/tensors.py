"""Names for the tensors that cross module borders.

Images are RGB, float32, in [0, 1]; normalisation happens inside the backbone.
"""

from jaxtyping import Float, Int, UInt8
from torch import Tensor

Images = Float[Tensor, "batch 3 height width"]
Pixels = UInt8[Tensor, "batch 3 height width"]
Maps = Float[Tensor, "batch height width"]
Logits = Float[Tensor, "batch classes"]
Scores = Float[Tensor, "batch *heads"]
FakeScores = Float[Tensor, "fakes *heads"]
SignedImages = Float[Tensor, "batch channels height width"]
"""Images of GANs, in [-1, 1], of one or three channels."""

Features = Float[Tensor, "batch dimension"]
OtherFeatures = Float[Tensor, "other dimension"]
Labels = Int[Tensor, "batch"]
Condition = Int[Tensor, "batch"] | Float[Tensor, "batch attributes"]
"""The condition of an image: its class, or -1 (absent) and 1 (present) for each of its attributes."""
