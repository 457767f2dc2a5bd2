"""The model card of a trained generator."""

from __future__ import annotations

from vitrail.datasets.pixels import PixelSet
from vitrail.formatting import count, number, percent
from vitrail.gan.training_events import TrainingEnd
from vitrail.model_card import model_card


def generator_card(end: TrainingEnd, train: PixelSet) -> str:
    """The generator's model card."""
    values = end.values
    metrics = {
        entry["label"]: f"{number(entry['value'])} (real images: {number(entry['baseline'])})" for entry in end.metrics
    }
    if values["label_agreement"] is not None:
        accuracy = percent(values["judge"]["accuracy"])
        metrics["label agreement"] = f"{percent(values['label_agreement'])} (real images: {accuracy})"
    return model_card(
        "Generator trained with Vitrail",
        f"GAN generator: {values['architecture']}, {values['loss']} loss, trained on {count(len(train), 'image')} of "
        f"{train.size} x {train.size} pixels. Generated images are in [-1, 1].",
        tags=("unconditional-image-generation", "gan", values["architecture"]),
        metrics=metrics,
        details=("Labels name the feature extractor, the dimension of its features and the number of images.",),
        usage=("vitrail gan sample RUN --count 16",),
    )
