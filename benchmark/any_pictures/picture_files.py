"""Pictures that others wrote: any format that Pillow reads, whole or refused."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

LOSSY = ("JPEG", "MPO", "WEBP", "AVIF", "JPEG2000", "GIF")
"""Formats that may have lost something; of WebP only the lossless kind has not."""
EIGHT_BITS = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr")
"""Modes that become RGB without a choice of which values to clip."""


class UnreadableError(Exception):
    """A file that is no whole picture; the message says why."""


@dataclass(frozen=True)
class Opened:
    """A picture and what is known of its file."""

    image: Image.Image
    """RGB, turned upright by its EXIF entry."""
    sha256: str
    """Of the file's bytes."""
    lossy: str
    """The format, where it has lost something; else empty."""
    transparent: bool
    """Whether some pixels are not opaque. Their colours count as they are stored."""


def open_picture(path: Path) -> Opened:
    """The picture in a file. UnreadableError when it is missing, damaged or truncated."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnreadableError(error.strerror or str(error)) from error
    return decode(content)


def decode(content: bytes) -> Opened:
    """The picture in a file's bytes. UnreadableError for no whole picture, for several in one and
    for other pixels than of 8 bits, which RGB would clip."""
    try:
        with Image.open(io.BytesIO(content)) as opened:
            opened.load()
            form, mode = opened.format or "", opened.mode
            frames = 1 if form == "MPO" else getattr(opened, "n_frames", 1)
            transparent = _is_transparent(opened)
            image = ImageOps.exif_transpose(opened).convert("RGB")
    except Exception as error:  # a damaged file makes Pillow's decoders raise all kinds of things
        line = " ".join(str(error).split())
        if "cannot identify image" in line:
            line = "no picture, or damaged from the start"
        raise UnreadableError(line or type(error).__name__) from error
    if mode not in EIGHT_BITS:
        raise UnreadableError(f"pixels of kind {mode}; save it with 8 bits per channel")
    if frames != 1:
        raise UnreadableError(f"{frames} frames in one file; save the one that counts")
    lossless_webp = form == "WEBP" and content[12:16] == b"VP8L"
    lossy = form if form in LOSSY and not lossless_webp else ""
    return Opened(image, hashlib.sha256(content).hexdigest(), lossy, transparent)


def _is_transparent(image: Image.Image) -> bool:
    if not image.has_transparency_data:
        return False
    lowest = image.convert("RGBA").getchannel("A").getextrema()[0]
    return isinstance(lowest, int | float) and lowest < 255
