"""Synchronised batch normalisation: statistics over the batches of all ranks, with second derivatives.

`torch.nn.SyncBatchNorm` needs GPUs and has no second derivative.
"""

import torch
from torch import Tensor, nn

from vitrail.distributed import all_gather, rank_and_world_size


class SyncBatchNorm(nn.BatchNorm2d):
    """Batch normalisation whose training statistics are those of the batch of all ranks."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Any number of dimensions: it also replaces `BatchNorm1d`."""

    def forward(self, input: Tensor) -> Tensor:
        """(N, C, ...) normalised; plain batch normalisation with one rank or in evaluation mode."""
        if not self.training or rank_and_world_size()[1] == 1:
            return super().forward(input)
        wide = input.float()
        variances, means = torch.var_mean(wide, [0, *range(2, input.ndim)], correction=0)
        all_means, all_variances = all_gather(torch.stack([means, variances])).unbind(dim=1)
        mean = all_means.mean(dim=0)
        variance = (all_variances + (all_means - mean).square()).mean(dim=0)
        self._update_running(mean.detach(), variance.detach(), len(all_means) * input.numel() // len(mean))
        shape = (-1, *(1 for _ in range(2, input.ndim)))
        normal = (wide - mean.view(shape)) * (variance + self.eps).rsqrt().view(shape)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(input.dtype)

    @torch.no_grad()
    def _update_running(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        self.num_batches_tracked.add_(1)
        momentum = 1 / int(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * count / (count - 1), momentum)


def use_sync_batch_norm(*networks: nn.Module) -> None:
    """Synchronises all batch normalisation of the networks in place; weights, buffers and their names stay."""
    for network in networks:
        for part in network.modules():
            if type(part) in (nn.BatchNorm1d, nn.BatchNorm2d):
                part.__class__ = SyncBatchNorm
