"""What a file is that is no image of a known format, by its content, whatever its name says."""

import re

# The first that matches counts. `.` is any byte.
KINDS = (
    (rb"version https://git-lfs", "a Git LFS pointer: the image itself was not fetched", "`git lfs pull`"),
    (rb"\s*[{\[]\s*[\"{\[\]}\d-]", "JSON, not an image", ""),
    (rb"%PDF-", "a PDF", ""),
    (rb"%!PS|\xc5\xd0\xd3\xc6", "a PostScript drawing (EPS)", ""),
    (rb"PK\x03\x04|PK\x05\x06", "a ZIP archive", "the images inside it"),
    (
        rb"\x1f\x8b|BZh[1-9]|\xfd7zXZ\0|7z\xbc\xaf\x27\x1c|Rar!|\x28\xb5\x2f\xfd",
        "a packed archive",
        "what is inside it",
    ),
    (rb".{257}ustar", "a tar archive", "a name that ends in .tar"),
    (rb"8BPS", "a Photoshop file", ""),
    (rb"gimp xcf", "a GIMP file", ""),
    (rb"\0\0\x01\0[^\0]|\0\0\x02\0[^\0]|icns", "an icon", ""),
    (rb"\xff\x0a|\0\0\0\x0cJXL ", "JPEG XL", ""),
    (rb"II\xbc", "JPEG XR", ""),
    (
        rb"....ftypcrx |FUJIFILMCCD-RAW|IIR[OS]|MMOR|IIU\0|\0MRM|II\x1a\0\0\0HEAPCCDR",
        "a camera's raw file",
        "the camera's JPEG",
    ),
    (rb"....ftypqt  |....(moov|wide|mdat)", "a video (QuickTime)", "frames of it"),
    (rb"....ftyp", "a video (MP4)", "frames of it"),
    (rb"\x1aE\xdf\xa3", "a video (Matroska or WebM)", "frames of it"),
    (rb"RIFF....AVI ", "a video (AVI)", "frames of it"),
    (rb"\0\0\x01[\xba\xb3]|FLV\x01|\x30\x26\xb2\x75", "a video", "frames of it"),
    (rb"RIFF....WAVE|ID3|OggS|fLaC", "a sound", ""),
    (rb".{128}DICM", "a DICOM file", "its frames"),
    (rb"SIMPLE  =", "a FITS file", ""),
    (rb"v/1\x01|#\?RADIANCE|P[Ff]\s", "an image of floating-point values", ""),
    (rb"P7\s", "a PAM image", ""),
    (rb"DDS ", "a DDS texture", ""),
    (rb"\x93NUMPY", "a NumPy array", ""),
    (rb"\x89HDF|PAR1|SQLite format", "a data file", ""),
    (rb"\0\x05\x16[\0\x07]", "a macOS resource file, which lies beside the image", "the file without `._`"),
    (rb"\x80[\x02-\x05]", "a Python pickle", ""),
    (rb"MZ|\x7fELF|\xcf\xfa\xed\xfe|\xca\xfe\xba\xbe", "a program", ""),
    (rb"\xd0\xcf\x11\xe0", "an Office document", ""),
)
MARKUP = (
    (rb"<(!doctype html|html|head|body)\b", "HTML, not an image"),
    (rb"<svg\b", "an SVG drawing"),
    (rb"<script\b", "HTML, not an image"),
    (rb"<\?xml\b", "XML, not an image"),
)
"""Tags; the first that stands at the beginning counts. A pattern that steps over comments can take for ever."""

LOOKED_AT = 2_000  # bytes


def describe_content(data: bytes) -> tuple[str, str]:
    """What the bytes are, as in "is a PDF", and what to use in its place, empty: an image of a known format."""
    if not data:
        return "empty", ""
    begin = data[:LOOKED_AT]
    for pattern, kind, remedy in KINDS:
        if re.match(pattern, begin, re.DOTALL):
            return kind, remedy
    for pattern, kind in MARKUP if begin.lstrip().startswith(b"<") else ():
        if re.search(pattern, begin, re.IGNORECASE):
            return kind, ""
    if not data.strip(b"\0"):
        return "all zeros: it was never copied", "a complete copy of the file"
    return ("text, not an image" if _is_text(begin) else "not an image of a known format"), ""


def _is_text(begin: bytes) -> bool:
    try:
        text = begin.decode("utf-8", "strict" if len(begin) < LOOKED_AT else "ignore")
    except UnicodeDecodeError:
        return False
    return bool(text) and all(letter.isprintable() or letter.isspace() for letter in text)
