"""Every task that records, as a command line that takes a moment; and what it needs to have been made before."""

import shutil
from functools import cached_property

import gan_folders
from tiny_chapter import GAN
from trials import options

from vitrail.tasks import TASKS

ENCODED = {"size": 16, "epochs": 1, "batch": 16, "width": 4, "latent-size": 8, "encoder-epochs": 1, "held-out": 0.25}


class Small:
    """Command lines.

    Args:
        home: where that is made which other tasks need.
    """

    def __init__(self, server, stripes, home):
        self.server, self.stripes, self.home = server, stripes, home
        self.test = stripes / "test"

    def command(self, name, run, cache):
        """What is typed so that `name` fills the run folder."""
        words = name.split("-") if name.startswith("gan-") else [name]
        arguments = getattr(self, name.replace("-", "_"))(cache)
        return [*words, *arguments, "--run", run]

    @cached_property
    def classifier(self):
        return self._made("transfer")

    @cached_property
    def same_again(self):
        """A copy of the classifier."""
        return shutil.copytree(self.classifier, self.home / "same-again")

    @cached_property
    def gan(self):
        return self._made("gan-train")

    @cached_property
    def faces(self):
        """Images with attributes, and a generator of such."""
        data = self.home / "faces"
        gan_folders.images_with_attributes(data)
        run = self.home / "faces-run"
        settings = {**ENCODED, "eval-samples": 8, "final-eval-samples": 8, "autotune": False}
        self.server.run(
            "gan", "train", data, *options(settings), "--cache", self.home / "judges", "--run", run
        ).assert_well()
        return data / "images", run

    def _made(self, name):
        run = self.home / name
        self.server.run(*self.command(name, run, self.home / "first")).assert_well()
        return run

    def transfer(self, cache):
        return [self.stripes, "--backbone", "tiny", "--inference-engine", "eager", "--cache", cache / "features"]

    def check(self, cache):
        return [self.stripes, "--backbone", "tiny", "--cache", cache / "features"]

    def classify(self, cache):
        return [self.test / "across", "--backbone", "tiny"]

    def predict(self, cache):
        return [self.classifier, self.test, "--cache", cache / "features"]

    def explain(self, cache):
        return [self.test / "across", "--backbone", self.classifier, "--no-faithfulness"]

    def attack(self, cache):
        return [self.test / "across", "--backbone", self.classifier, "--steps", 4]

    def audit(self, cache):
        return [self.test, "--backbone", "tiny", "--max-images", 4]

    def visualise(self, cache):
        return ["across", "--backbone", self.classifier, "--judge", "none", "--steps", 8]

    def gan_train(self, cache):
        return [self.stripes, *options(GAN), "--cache", cache]

    def gan_sample(self, cache):
        return [self.gan, "--count", 4]

    def gan_evaluate(self, cache):
        return [self.gan, "--samples", 12, "--cache", cache]

    def gan_sweep(self, cache):
        return [self.stripes, *options({**GAN, "epochs": 1}), "--set", "beta1=0.5,0.9", "--cache", cache]

    def gan_interpolate(self, cache):
        return [self.gan, "--steps", 4]

    def gan_export(self, cache):
        return [self.gan, "--format", "safetensors"]

    def gan_edit(self, cache):
        images, run = self.faces
        return [run, images / "00.png", "--set", "bright=1", "--inversion-steps", 2, "--cache", cache]

    def compare(self, cache):
        return [self.classifier, self.same_again]

    def reproduce(self, cache):
        data = self.home / "data"
        data.mkdir(exist_ok=True)
        if not (data / "scene15").exists():
            (data / "scene15").symlink_to(self.stripes)
        return ["transfer", "--data", data]


RECORDED = [name for name in TASKS if TASKS[name].records]
QUICK = ("classify", "predict", "gan-sample")  # and what they need is quickly made
