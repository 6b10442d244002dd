"""Prompt templates for training."""

from __future__ import annotations

# The 27 templates of Textual Inversion's code ("imagenet small", in its published spelling),
# which TextBoost's run script uses as well.
IMAGENET_SMALL: tuple[str, ...] = (
    *(
        f"a photo of {which} {{subject}}"
        for which in (
            *("a", "the", "my", "one"),
            *("a clean", "the clean", "a dirty", "a nice", "the nice", "a cool", "the cool"),
            *("a small", "the small", "the weird", "the large"),
        )
    ),
    *(
        f"a {kind} photo of {article} {{subject}}"
        for kind in ("cropped", "close-up", "good")
        for article in ("a", "the")
    ),
    "a dark photo of the {subject}",
    "a bright photo of the {subject}",
    "the photo of a {subject}",
    "a rendering of a {subject}",
    "a rendition of a {subject}",
    "a rendition of the {subject}",
)
