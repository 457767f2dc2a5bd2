import numpy as np
from PIL import Image, ImageFilter


def finish(work):
    """What a generator returns, and the events that it yielded."""
    events = []
    while True:
        try:
            events.append(next(work))
        except StopIteration as end:
            return end.value, events


def scene(rng, size=(96, 80)):
    """An image of smooth random shapes with a fine texture: no two are alike."""
    noise = Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    smooth = np.asarray(noise.filter(ImageFilter.GaussianBlur(5)), np.float32)
    textured = (smooth - 127) * 5 + 127 + rng.normal(0, 6, smooth.shape)
    return Image.fromarray(np.clip(textured, 0, 255).astype(np.uint8))


def clusters(rng, counts, dimension=24, distance=4.0):
    """Features (n, d) around a mean a class, and the labels."""
    labels = np.repeat(np.arange(len(counts)), counts)
    means = rng.standard_normal((len(counts), dimension)) * distance / np.sqrt(2 * dimension)
    features = means[labels] * np.sqrt(dimension) / 2 + rng.standard_normal((len(labels), dimension))
    return features.astype(np.float32), labels
