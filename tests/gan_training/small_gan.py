"""A small GAN, and images whose class is where they are bright."""

import torch
from torch import nn

from vitrail.gan_training.state import GanState, TrainingOptions


class Generator(nn.Module):
    latent_size = 6

    def __init__(self):
        super().__init__()
        self.start = nn.Linear(9, 16 * 16)
        self.norm = nn.BatchNorm2d(16)
        self.end = nn.ConvTranspose2d(16, 1, 4, 2, 1)

    def forward(self, latents, labels):
        condition = torch.cat([latents, nn.functional.one_hot(labels, 3).to(latents)], dim=1)
        return self.end(self.norm(self.start(condition).view(-1, 16, 4, 4)).relu()).tanh()


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(4, 8, 4, 2, 1),
            nn.BatchNorm2d(8),
            nn.LeakyReLU(0.2),
            nn.Dropout(0.1),
            nn.Flatten(),
            nn.Linear(128, 1),
        )

    def forward(self, images, labels):
        planes = nn.functional.one_hot(labels, 3).to(images)[:, :, None, None].expand(-1, -1, 8, 8)
        return self.layers(torch.cat([images, planes], dim=1)).flatten()


def make_state(seed=0, **options):
    torch.manual_seed(seed)
    return GanState(Generator(), Discriminator(), TrainingOptions(**options), seed=seed)


def batches(start=0):
    number = start
    while True:
        draws = torch.Generator().manual_seed(number)
        labels = torch.randint(3, (8,), generator=draws)
        images = torch.full((8, 1, 8, 8), -1.0) + 0.1 * torch.randn(8, 1, 8, 8, generator=draws)
        for image, label in zip(images, labels.tolist(), strict=True):
            image[0, :, 2 * label : 2 * label + 3] += 1.5
        number += 1
        yield images.clamp(-1, 1), labels
