"""Images a second of our step against the step of pytorch/examples' DCGAN, on equal networks.

    python benchmarks/gan_step.py [--case dcgan-32 ...] [--rounds 20] [--steps 3] [--threads 2] [--device cpu] [--apart]

Theirs is as published: sigmoid and BCELoss, D on real and on generated images with a backward pass each, the same
images for G, gradients of D's weights computed in G's update, Adam with its defaults, values read at every step;
labels are concatenated with D's first feature maps as planes, as in the usual code. "theirs, our network" is the same
loop on a D that does not build them. Ours is `train_steps` in the mode that `autotune` chose, the EMA of G's weights
included, its values read at every step too; "ours, reference" is `train_steps` in the reference mode. All take turns,
in reversed order every other round: in one process, whose memory is handled as in the command, so that theirs gains by
it too; or `--apart`, each in a process of its own as its users start it, ours as the command and theirs as it comes.
Images are random, and loading them is not part of it. One JSON document goes to stdout: of the rounds' ratios the
median and the range, by wall time and by CPU time of the processes. With other work on the machine the latter says
more, and OMP_WAIT_POLICY=PASSIVE keeps waiting threads out of it.
"""

import argparse
import copy
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import repeat
from multiprocessing import get_context
from multiprocessing.connection import Connection
from statistics import median

import torch
from torch import Tensor, nn

from vitrail.gan_architectures import GANS
from vitrail.gan_architectures.dcgan import DcganDiscriminator
from vitrail.gan_architectures.pair import GanPair, condition
from vitrail.gan_training.autotune import autotune
from vitrail.gan_training.state import GanState, TrainingOptions
from vitrail.gan_training.steps import train_steps
from vitrail.process import keep_freed_memory

CASES = {
    "dcgan-32": ("dcgan", {"size": 32, "channels": 3, "width": 32}, 128, 1.4),
    "conditional-dcgan-32": ("conditional-dcgan", {"size": 32, "channels": 1, "width": 32}, 128, 1.4),
    "dcgan-64": ("dcgan", {"size": 64, "channels": 3, "width": 64}, 64, 1.15),
    "conditional-mlp-28": ("conditional-mlp", {"size": 28, "channels": 1}, 64, 1.3),
}
"""Architecture, its options, images a batch, and the speedup that ours should have."""

Batch = tuple[Tensor, Tensor]
Maker = Callable[[GanPair], Iterator[object]]


class WithPlanes(nn.Module):
    """A discriminator of the same weights that concatenates labels as planes."""

    def __init__(self, discriminator: DcganDiscriminator) -> None:
        super().__init__()
        self.inner = discriminator

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """See `Discriminator`."""
        maps = self.inner.first(images)
        values = condition(labels, self.inner.classes, maps)
        planes = values[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        return self.inner.rest(self.inner.conditional.layer(torch.cat([maps, planes], dim=1))).flatten()


def theirs_with_planes(pair: GanPair, batch: Batch) -> Iterator[object]:
    """`theirs` on the same pair, as it is usually written."""
    discriminator = pair.discriminator
    conditional = isinstance(discriminator, DcganDiscriminator) and discriminator.classes
    return theirs(replace(pair, discriminator=WithPlanes(discriminator)) if conditional else pair, batch)


def theirs(pair: GanPair, batch: Batch) -> Iterator[object]:
    """The loop of https://github.com/pytorch/examples/blob/main/dcgan/main.py."""
    generator, discriminator = pair.generator, pair.discriminator
    criterion = nn.BCELoss()
    adam_d = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    adam_g = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=(0.5, 0.999))
    real, labels = batch
    while True:
        discriminator.zero_grad()
        target = torch.full((len(real),), 1.0, device=real.device)
        output = discriminator(real, labels).sigmoid()
        of_real = criterion(output, target)
        of_real.backward()
        d_x = output.mean().item()

        noise = torch.randn(len(real), generator.latent_size, device=real.device)
        fake = generator(noise, labels)
        target.fill_(0.0)
        output = discriminator(fake.detach(), labels).sigmoid()
        of_fake = criterion(output, target)
        of_fake.backward()
        d_g_z1 = output.mean().item()
        adam_d.step()

        generator.zero_grad()
        target.fill_(1.0)
        output = discriminator(fake, labels).sigmoid()
        of_g = criterion(output, target)
        of_g.backward()
        d_g_z2 = output.mean().item()
        adam_g.step()
        yield (of_real + of_fake).item(), of_g.item(), d_x, d_g_z1, d_g_z2


def ours(pair: GanPair, batch: Batch, training_options: TrainingOptions) -> Iterator[object]:
    for step in train_steps(GanState(pair.generator, pair.discriminator, training_options), repeat(batch)):
        yield step.values()


def timed(contestant: Iterator[object], steps: int) -> tuple[float, float]:
    """Wall and CPU seconds a step."""
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(steps):
        next(contestant)
    return (time.perf_counter() - wall) / steps, (time.process_time() - cpu) / steps


def answering(connection: Connection, maker: Maker, pair: GanPair, keeps_memory: bool, threads: int) -> None:
    """A process of its own: times so many steps whenever it is asked to, and ends at 0."""
    torch.set_num_threads(threads)
    if keeps_memory:
        keep_freed_memory()
    contestant = maker(pair)
    while steps := connection.recv():
        connection.send(timed(contestant, steps))


@contextmanager
def apart(makers: dict[str, Maker], pair: GanPair, threads: int) -> Iterator[dict[str, Callable[[int], tuple]]]:
    """What times each contestant in its own process."""
    context = get_context("spawn")
    asked = {}
    for name, maker in makers.items():
        here, there = context.Pipe()
        arguments = (there, maker, copy.deepcopy(pair), name.startswith("ours"), threads)
        context.Process(target=answering, args=arguments, daemon=True).start()
        asked[name] = here
    yield {name: partial(ask, here) for name, here in asked.items()}
    for here in asked.values():
        here.send(0)


def ask(connection: Connection, steps: int) -> tuple[float, float]:
    connection.send(steps)
    return connection.recv()


def alternating(contestants: dict[str, Callable[[int], tuple]], rounds: int, steps: int) -> dict[str, list[tuple]]:
    """Wall and CPU seconds a step of each, round by round."""
    taken: dict[str, list[tuple]] = {name: [] for name in contestants}
    order = list(contestants)
    for time_of in contestants.values():
        time_of(1)
    for _ in range(rounds):
        for name in order:
            taken[name].append(contestants[name](steps))
        order.reverse()
    return taken


def summary(values: list[float]) -> dict[str, float]:
    return {"median": round(median(values), 3), "least": round(min(values), 3), "most": round(max(values), 3)}


def compared(name: str, options: argparse.Namespace) -> dict:
    architecture, given, size, goal = CASES[name]
    torch.manual_seed(0)
    pair = GANS[architecture](**given)
    for network in (pair.generator, pair.discriminator):
        network.to(options.device)
    channels, side = given["channels"], given["size"]
    images, labels = torch.rand(size, channels, side, side) * 2 - 1, torch.randint(10, (size,))
    batch = images.to(options.device), labels.to(options.device)
    started = time.perf_counter()
    choice = autotune(pair, TrainingOptions(), batch)
    probed = time.perf_counter() - started
    makers: dict[str, Maker] = {
        "theirs": partial(theirs_with_planes, batch=batch),
        "theirs, our network": partial(theirs, batch=batch),
        "ours": partial(ours, batch=batch, training_options=choice.options),
        "ours, reference": partial(ours, batch=batch, training_options=TrainingOptions()),
    }
    if options.apart:
        with apart(makers, pair, options.threads) as contestants:
            taken = alternating(contestants, options.rounds, options.steps)
    else:
        here = {name: partial(timed, maker(copy.deepcopy(pair))) for name, maker in makers.items()}
        taken = alternating(here, options.rounds, options.steps)
    clocks = ("wall", "cpu")
    return {
        "goal": goal,
        "choice": choice.mode,
        "probe": {"seconds": round(probed, 2), **{mode: round(ratio, 2) for mode, ratio in choice.speedups.items()}},
        "images_per_second": {
            contestant: {clock: round(size / median(each[at] for each in rounds), 1) for at, clock in enumerate(clocks)}
            for contestant, rounds in taken.items()
        },
        "times_faster": {
            contestant: {
                clock: summary([one[at] / two[at] for one, two in zip(taken["theirs"], rounds, strict=True)])
                for at, clock in enumerate(clocks)
            }
            for contestant, rounds in taken.items()
            if contestant != "theirs"
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=CASES, nargs="+", default=list(CASES))
    parser.add_argument("--rounds", type=int, default=20, help="alternating runs of each")
    parser.add_argument("--steps", type=int, default=3, help="of each in a round")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--apart", action="store_true", help="each contestant in a process of its own")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    about: dict = {
        "rounds": options.rounds,
        "steps": options.steps,
        "threads": options.threads,
        "cores": os.cpu_count(),
    }
    about |= {"torch": torch.__version__, "apart": options.apart, "device": options.device}
    print(json.dumps({**about, "found": {name: compared(name, options) for name in options.case}}, indent=2))


if __name__ == "__main__":
    main()
