"""Distance of two images after the best crop, shift, change of scale, mirroring and light, from their thumbnails."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import torch
from jaxtyping import Bool, Float32, UInt8
from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample, pad

from vitrail.dataset_check.threads import in_threads

WINDOWS = ((1.0, 0.0), (0.9, 0.05), (0.8, 0.1))  # sides of the windows tried first; shift from one to the next
COARSE = 12  # pixels of a side on which they are compared
IMAGES = 256  # whose windows are worked on together: 8 MB
PAIRS = 256  # refined together: 8 MB
STEPS = 5  # of Gauss and Newton
SMALLEST, LARGEST = 0.7, 1.05  # scale of the final window
LOCAL = 9 / 32  # side of the surrounding whose mean is taken away
FLAT = 0.5  # of 255: details of less deviation are noise


def coarse_distances(
    thumbnails: UInt8[np.ndarray, "n side side"], left: np.ndarray, right: np.ndarray
) -> tuple[Float32[np.ndarray, " p"], np.ndarray]:
    """Distances (p,) as `aligned_distances`, at low resolution and on a grid of windows; and which was nearest.

    Args:
        left, right: (p,), places in `thumbnails`.

    Returns:
        Distances, and starts (p,) for `aligned_distances`.
    """
    best, start = np.full(len(left), -1.0, np.float32), np.zeros(len(left), np.int64)
    blocks = []
    for direction, (whole, part) in enumerate(((left, right), (right, left))):
        order = np.argsort(whole, kind="stable")
        blocks += [(direction, whole, part, order[rows]) for rows in _blocks_of(whole[order])]
    found = in_threads(lambda block: _coarse_block(thumbnails, block[1][block[3]], block[2][block[3]]), blocks)
    for (direction, _, _, chosen), (value, which) in zip(blocks, found, strict=True):
        better = value > best[chosen]
        best[chosen[better]] = value[better]
        start[chosen[better]] = (which[better] // 2 * 2 + direction) * 2 + which[better] % 2
    return np.sqrt(np.clip(1 - best, 0, 1)), start


def _coarse_block(thumbnails: np.ndarray, whole: np.ndarray, part: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The best correlation (p,) of `part`, mirrored or not, with a window of `whole`, ascending; and which it is."""
    images, place = np.unique(whole, return_inverse=True)
    windows = _windows_of(thumbnails[images])
    targets, target = np.unique(part, return_inverse=True)
    plain = _coarse(thumbnails[targets])
    both = torch.stack([plain, plain.view(-1, COARSE, COARSE).flip(-1).flatten(1)], dim=2)[target]
    value, which = _scores(windows, place, both).flatten(1).max(dim=1)
    return value.numpy(), which.numpy()


def aligned_distances(
    thumbnails: UInt8[np.ndarray, "n side side"], left: np.ndarray, right: np.ndarray, start: np.ndarray
) -> tuple[Float32[np.ndarray, " p"], Bool[np.ndarray, " p"]]:
    """Distances (p,) in [0, 1] of pairs, and whether one image is mirrored: sqrt(1 − correlation), the best alignment.

    One image is taken as a window of the other: either of the two, mirrored or not, of any scale from 0.7. The
    correlation is that of the details, with the mean of the surrounding pixels taken away: gain and offset of the light
    do not change it, and a bright sky above dark ground makes no two images alike. Images without details are at 1.

    Gauss–Newton steps on the scales and shifts refine the coarse window, in their inverse compositional form (Baker and
    Matthews, 2004, https://doi.org/10.1023/B:VISI.0000011205.11775.fd).

    Args:
        left, right: (p,), places in `thumbnails`.
        start: (p,), as `coarse_distances` gives it.
    """
    mirrored, direction, window = start % 2 == 1, start // 2 % 2 == 1, start // 4
    whole, part = np.where(direction, right, left), np.where(direction, left, right)

    def distances_of(first: int) -> np.ndarray:
        rows = slice(first, first + PAIRS)
        inner = torch.from_numpy(thumbnails[part[rows]]).float()
        inner[mirrored[rows]] = inner[mirrored[rows]].flip(-1)
        outer = torch.from_numpy(thumbnails[whole[rows]]).float()
        correlation = _refine(outer, inner, torch.from_numpy(_grid()[window[rows]]))
        return np.asarray((1 - correlation).clamp(0, 1).sqrt().numpy())

    parts = in_threads(distances_of, range(0, len(left), PAIRS))
    return np.concatenate([np.empty(0, np.float32), *parts]), mirrored


def _scores(windows: Tensor, place: np.ndarray, both: Tensor) -> Tensor:
    """(p, w, 2): correlations of the windows of image `place` (p,), ascending, with two targets (p, COARSE², 2)."""
    scores = torch.empty(len(place), windows.shape[1], 2)
    ends = np.searchsorted(place, np.arange(len(windows) + 1))
    for image, (first, last) in enumerate(zip(ends, ends[1:], strict=False)):
        targets = both[first:last].permute(1, 0, 2).flatten(1)
        scores[first:last] = (windows[image] @ targets).view(windows.shape[1], -1, 2).permute(1, 0, 2)
    return scores


def _blocks_of(ordered: np.ndarray) -> Iterator[slice]:
    """Rows of sorted places, at most `IMAGES` different ones and 4 × `IMAGES` rows at a time."""
    first = 0
    while first < len(ordered):
        new = np.flatnonzero(np.diff(ordered[first : first + 4 * IMAGES])) + 1
        end = first + (int(new[IMAGES - 1]) if len(new) >= IMAGES else 4 * IMAGES)
        yield slice(first, end)
        first = end


@cache
def _grid() -> Float32[np.ndarray, "w 3"]:
    """Scale, shift across and shift down of the first windows, as `affine_grid` takes them."""
    found = [(scale, across, down) for shifts in _shifts() for scale, across in shifts for _, down in shifts]
    return np.array(found, np.float32)


def _shifts() -> list[list[tuple[float, float]]]:
    """Scale and shift along one side, of the windows of each scale."""
    found = []
    for scale, shift in WINDOWS:
        steps = round((1 - scale) / shift) if shift else 0
        found.append([(scale, float(each)) for each in np.linspace(scale - 1, 1 - scale, 2 * steps + 1)])
    return found


@cache
def _window_operators(side: int) -> list[tuple[Tensor, Tensor]]:
    """Of the windows of each scale: what resamples lines (shifts · COARSE, side), and takes their local mean as well.

    A window and its local mean are separable: in both directions together they would be one matrix of 30 MB.
    """
    found = []
    for shifts in _shifts():
        plain = torch.stack([_resampling(scale, shift, side) for scale, shift in shifts])
        found.append((plain.flatten(0, 1), (_local_mean(COARSE) @ plain).flatten(0, 1)))
    return found


def _resampling(scale: float, shift: float, side: int) -> Tensor:
    """(COARSE, side): weights of the means of the pixels under each line of a window."""
    edges = ((torch.linspace(-1, 1, COARSE + 1) * scale + shift) + 1) * side / 2
    low, high, places = edges[:-1, None], edges[1:, None], torch.arange(side)[None]
    covered = (torch.minimum(high, places + 1.0) - torch.maximum(low, places.float())).clamp(min=0)
    return covered / covered.sum(dim=1, keepdim=True)


def _windows_of(thumbnails: np.ndarray) -> Tensor:
    """(n, w, COARSE²), normalised."""
    images = torch.from_numpy(thumbnails).float()
    operators = _window_operators(thumbnails.shape[-1])
    return _normalised(torch.cat([_windows(images, *operator) for operator in operators], dim=1))


def _coarse(thumbnails: np.ndarray) -> Tensor:
    """(n, COARSE²), normalised: the window that is the whole image."""
    images = torch.from_numpy(thumbnails).float()
    return _normalised(_windows(images, *_window_operators(thumbnails.shape[-1])[0])[:, 0])


def _windows(images: Tensor, plain: Tensor, local: Tensor) -> Tensor:
    """(n, s · s, COARSE²), the details of the windows of one scale, shifted across and then down."""
    rows = torch.cat([plain @ images, -(local @ images)], dim=2)
    shifts = len(plain) // COARSE
    windows = (rows @ torch.cat([plain, local], dim=1).T).view(-1, shifts, COARSE, shifts, COARSE)
    details: Tensor = windows.permute(0, 3, 1, 2, 4).reshape(len(images), shifts * shifts, COARSE * COARSE)
    return details - details.mean(dim=2, keepdim=True)


def _details(images: Tensor) -> Tensor:
    """Images (n, h, w) without the local mean, and of mean 0."""
    local = _local_mean(images.shape[-1])
    details = images - local @ images @ local.T
    return details - details.mean(dim=(1, 2), keepdim=True)


@cache
def _local_mean(side: int) -> Tensor:
    """(side, side): the mean of the surrounding of each pixel of a line, the outermost pixels repeated."""
    half = int(LOCAL * side) // 2
    places = (torch.arange(side)[:, None] + torch.arange(-half, half + 1)).clamp(0, side - 1)
    matrix = torch.zeros(side, side)
    return matrix.scatter_add_(1, places, torch.full(places.shape, 1 / (2 * half + 1)))


def _normalised(details: Tensor) -> Tensor:
    """Rows of unit length; of images without details, zeros."""
    norm = details.norm(dim=-1, keepdim=True)
    return torch.where(norm > FLAT * details.shape[-1] ** 0.5, details / norm.clamp(min=1e-6), 0.0)


def _refine(outer: Tensor, inner: Tensor, window: Tensor) -> Tensor:
    """Correlation (p,) of `inner` with the best window of `outer`, starting from the windows (p, 3)."""
    count, side, _ = outer.shape
    target = _normalised(_details(inner).flatten(1))
    line = (torch.arange(side) * 2 + 1) / side - 1
    across, down = (each * side / 2 for each in _gradients(target.view(count, side, side)))
    design = torch.stack([across * line, down * line[:, None], across, down], dim=1).flatten(2)
    # The light and the length, which every step fits anew, are taken out of what the window can change.
    design = design - design.mean(dim=2, keepdim=True)
    design = design - (design @ target[..., None]) * target[:, None]
    normal = design @ design.transpose(1, 2)
    inverse = torch.linalg.inv(normal + torch.diag_embed(1e-3 * normal.diagonal(dim1=1, dim2=2) + 1e-6))
    best = torch.full((count,), -1.0)
    scale, shift = window[:, :1].repeat(1, 2), window[:, 1:].clone()
    for _ in range(STEPS):
        seen = _normalised(_details(_sampled(outer[:, None], scale, shift)).flatten(1))
        correlation = (seen * target).sum(dim=1)
        best = torch.maximum(best, correlation)
        residual = seen / correlation.clamp(min=0.3)[:, None] - target
        change = (inverse @ (design @ residual[..., None]))[..., 0].clamp(-0.1, 0.1)
        scale = (scale / (1 + change[:, :2])).clamp(SMALLEST, LARGEST)
        room = (LARGEST - scale).clamp(min=0)
        shift = torch.maximum(torch.minimum(shift - scale * change[:, 2:], room), -room)
    return best


def _sampled(images: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """The windows (p, side, side) of images (p, 1, side, side)."""
    matrix = torch.cat([torch.diag_embed(scale), shift[..., None]], dim=2)
    grid = affine_grid(matrix, list(images.shape), align_corners=False)
    return grid_sample(images, grid, padding_mode="border", align_corners=False)[:, 0]


def _gradients(images: Tensor) -> tuple[Tensor, Tensor]:
    """Central differences across and down, a pixel."""
    padded = pad(images[:, None], (1, 1, 1, 1), mode="replicate")[:, 0]
    return (padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]) / 2, (padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]) / 2
