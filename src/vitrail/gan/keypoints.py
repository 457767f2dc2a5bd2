"""Seeds that a latent interpolation passes through, and its frames."""

from __future__ import annotations

from dataclasses import dataclass

from vitrail.errors import BadSetting
from vitrail.validation import LARGEST_SAMPLE_SEED, check_count, check_seed


@dataclass(frozen=True)
class Keypoints:
    """Seeds in order, at least two, with `steps` frames from each to the next.

    Attributes:
        loop: the last seed is followed by the first, which is not repeated at the end.
    """

    seeds: tuple[int, ...]
    steps: int
    loop: bool = False

    @property
    def segments(self) -> int:
        """Number of segments between consecutive seeds."""
        return len(self.seeds) - 1 + int(self.loop)

    @property
    def frames(self) -> int:
        """Number of frames."""
        return self.steps * self.segments + (0 if self.loop else 1)

    def position(self, frame: int) -> tuple[int, int, float]:
        """Seeds before and after a frame, and the fraction of the way between them, in [0, 1)."""
        segment, step = divmod(frame, self.steps)
        return self.seeds[segment], self.seeds[(segment + 1) % len(self.seeds)], step / self.steps

    def frames_of_strip(self, limit: int) -> list[int]:
        """At most `limit` frames: equally many of each segment, each seed's own among them, and the last one.

        A loop ends with the first frame again.
        """
        per_segment = max(1, min((limit - 1) // self.segments, self.steps))
        frames = [
            segment * self.steps + round(part * self.steps / per_segment)
            for segment in range(self.segments)
            for part in range(per_segment)
        ]
        frames.append(self.segments * self.steps % self.frames)
        count = min(limit, len(frames))
        if count == len(frames):
            return frames
        return [frames[round(index * (len(frames) - 1) / (count - 1))] for index in range(count)]


def interpolation_keypoints(
    seeds: tuple[int, ...], *, steps: int, loop: bool, has_label: bool, has_end_label: bool
) -> Keypoints:
    """The keypoints of an interpolation; one seed alone counts twice.

    Raises:
        BadSetting: a seed or a number of steps out of range, an end label without a start label, or neither seed nor
            label changes.
    """
    check_count("steps", steps)
    for seed in seeds:
        check_seed("seed", seed, most=LARGEST_SAMPLE_SEED)
    if has_end_label and not has_label:
        raise BadSetting("An end label was given without a start label. Use --class as well.")
    keypoints = Keypoints(seeds if len(seeds) > 1 else seeds * 2, steps, loop)
    if len(set(keypoints.seeds)) < 2 and not has_end_label:
        raise BadSetting(
            f"Neither seed nor label changes: got the seed {', '.join(map(str, seeds)) or 'none'}. "
            "Use two seeds, or --class and --to-class."
        )
    return keypoints
