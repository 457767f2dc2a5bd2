import copy

import torch
from small_gan import Generator
from torch import nn

from vitrail.gan_training.ema import Ema, recalibrate_batch_norm


def test_weights_are_averaged_with_the_decay_and_statistics_are_copied():
    network = Generator()
    ema = Ema(network, decay=0.5)
    first = network.start.bias.detach().clone()
    with torch.no_grad():
        network.start.bias.add_(1.0)
    network.norm.running_mean.fill_(7.0)
    ema.update(network)
    keep = min(0.5, 2 / 11)
    torch.testing.assert_close(ema.network.start.bias, first + 1 - keep)
    assert (ema.network.norm.running_mean == 7).all()
    for _ in range(60):
        ema.update(network)
    torch.testing.assert_close(ema.network.start.bias, first + 1)
    assert not any(weight.requires_grad for weight in ema.network.parameters())


def test_recalibration_gives_the_mean_statistics_of_the_batches_and_leaves_the_rest():
    network = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)).eval()
    network[1].running_mean.fill_(50.0)
    before = copy.deepcopy(network[0].state_dict())
    batches = [torch.randn(16, 3) for _ in range(5)]
    recalibrate_batch_norm(network, [(batch,) for batch in batches])
    means = torch.stack([network[0](batch).mean(dim=0) for batch in batches]).mean(dim=0)
    torch.testing.assert_close(network[1].running_mean, means)
    assert not network[1].training
    assert network[1].momentum == 0.1
    assert all(torch.equal(before[name], value) for name, value in network[0].state_dict().items())


def test_recalibrated_a_sample_does_not_depend_on_its_batch():
    network = Generator().eval()
    latents, labels = torch.randn(6, 6), torch.tensor([0, 1, 2, 0, 1, 2])
    recalibrate_batch_norm(network, [(torch.randn(32, 6), torch.randint(3, (32,))) for _ in range(4)])
    with torch.no_grad():
        torch.testing.assert_close(network(latents, labels)[3:4], network(latents[3:4], labels[3:4]))
