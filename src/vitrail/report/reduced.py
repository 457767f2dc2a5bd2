"""Figures small enough for a page with many of them."""

import io
from base64 import b64decode, b64encode
from dataclasses import replace

from PIL import Image

from vitrail.decoding import decode
from vitrail.report.contents import EmbeddedImage

WIDTH = 720  # pixels; twice what a column shows, for dense screens
QUALITY = 80
PNG = "data:image/png;base64,"


def reduced(figure: EmbeddedImage) -> EmbeddedImage:
    """The figure at most `WIDTH` pixels wide, as WebP; itself where that is no smaller.

    Raises:
        BadImage: it cannot be read.
    """
    _, image = decode(b64decode(figure.source.removeprefix(PNG)))
    picture = image.convert("RGB")
    if picture.width > WIDTH:
        picture = picture.resize((WIDTH, round(picture.height * WIDTH / picture.width)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    picture.save(file, "WEBP", quality=QUALITY, method=4)
    source = "data:image/webp;base64," + b64encode(file.getvalue()).decode("ascii")
    return replace(figure, source=source) if len(source) < len(figure.source) else figure
