"""Prompt templates for training, with "{subject}" where the words for the subject go."""

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

# The 19 templates of Textual Inversion's code for styles; two of them are in it twice.
STYLE: tuple[str, ...] = (
    "a picture in the style of {subject}",
    "a rendering in the style of {subject}",
    "a rendition in the style of {subject}",
    "the painting in the style of {subject}",
    "a painting in the style of {subject}",
    *(
        f"a {kind} painting in the style of {{subject}}"
        for kind in (
            *("cropped", "cropped", "close-up", "close-up", "clean", "dirty", "dark", "bright"),
            *("cool", "good", "nice", "small", "weird", "large"),
        )
    ),
)

TEMPLATES = {"imagenet": IMAGENET_SMALL, "style": STYLE}


def fill(template: str, words: str) -> str:
    """Put the words for the subject into a prompt template.

    Raises ValueError when the template has no "{subject}".
    """
    if "{subject}" not in template:
        raise ValueError(f'prompt template "{template}" has no "{{subject}}" to fill in')
    return template.replace("{subject}", words)
