"""What a picture of the toy world can show.

A scene names everything visible: the class noun, its body colour, pattern, accent colour and
proportions (together: the subject), what it wears or how its surface looks, where it stands, and
how the camera sees it. `benchmark.toyworld.draw` turns a scene into pixels and
`benchmark.toyworld.captions` into words.
"""

from __future__ import annotations

from dataclasses import dataclass

RGB = tuple[int, int, int]

COLORS: dict[str, RGB] = {
    "red": (212, 36, 40),
    "orange": (246, 132, 26),
    "yellow": (250, 214, 46),
    "green": (46, 158, 68),
    "blue": (38, 92, 214),
    "purple": (124, 56, 178),
    "pink": (250, 146, 192),
    "brown": (122, 74, 38),
    "black": (38, 38, 44),
    "white": (246, 246, 246),
    "gray": (140, 142, 148),
}
PATTERNS = ("plain", "striped", "dotted", "checked")
CLASS_NOUNS = (
    "backpack",
    "stuffed animal",
    "bowl",
    "can",
    "candle",
    "cat",
    "clock",
    "sneaker",
    "dog",
    "toy",
    "boot",
    "glasses",
    "cartoon",
    "teapot",
    "vase",
)
LIVE = ("cat", "dog")

# Keys are prompt ids of datasets/dreambench/prompts.toml; "studio" is the plain room.
BACKGROUNDS: dict[str, str] = {
    "studio": "",
    "in-the-jungle": "in the jungle",
    "in-the-snow": "in the snow",
    "on-the-beach": "on the beach",
    "on-a-cobblestone-street": "on a cobblestone street",
    "on-pink-fabric": "on top of pink fabric",
    "on-a-wooden-floor": "on top of a wooden floor",
    "with-a-city": "with a city in the background",
    "with-a-mountain": "with a mountain in the background",
    "with-a-blue-house": "with a blue house in the background",
    "on-a-purple-rug-in-a-forest": "on top of a purple rug in a forest",
    "with-a-wheat-field": "with a wheat field in the background",
    "with-autumn-leaves": "with a tree and autumn leaves in the background",
    "with-the-eiffel-tower": "with the eiffel tower in the background",
    "floating-on-water": "floating on top of water",
    "floating-in-milk": "floating in an ocean of milk",
    "on-grass-with-sunflowers": "on top of green grass with sunflowers around it",
    "on-a-mirror": "on top of a mirror",
    "on-a-crowded-sidewalk": "on top of the sidewalk in a crowded street",
    "on-a-dirt-road": "on top of a dirt road",
    "on-a-white-rug": "on top of a white rug",
}
OUTFITS: dict[str, str] = {
    "none": "",
    "wearing-a-red-hat": "wearing a red hat",
    "wearing-a-santa-hat": "wearing a santa hat",
    "wearing-a-rainbow-scarf": "wearing a rainbow scarf",
    "wearing-a-top-hat-and-monocle": "wearing a black top hat and a monocle",
    "in-a-chef-outfit": "in a chef outfit",
    "in-a-firefighter-outfit": "in a firefighter outfit",
    "in-a-police-outfit": "in a police outfit",
    "wearing-pink-glasses": "wearing pink glasses",
    "wearing-a-yellow-shirt": "wearing a yellow shirt",
    "in-a-wizard-outfit": "in a purple wizard outfit",
}
FINISHES = ("plain", "shiny", "wet", "cube shaped")
VIEWS = ("normal", "far", "close")
LIGHTS = ("normal", "dark", "bright", "grayscale")


@dataclass(frozen=True)
class Scene:
    """One picture. Proportions lie in [0, 1]; shift is in fractions of the picture's width."""

    class_noun: str
    color: str
    pattern: str = "plain"
    accent: str = "white"
    proportions: tuple[float, float, float] = (0.5, 0.5, 0.5)
    background: str = "studio"
    outfit: str = "none"
    finish: str = "plain"
    view: str = "normal"
    light: str = "normal"
    scale: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    flip: bool = False
    detail: int = 0  # seeds what varies inside a background: stones, flakes, tints

    def facts(self) -> dict[str, str]:
        """The named attributes that the picture shows; a grayscale one shows no colour."""
        gray = self.light == "grayscale"
        return {
            "class": self.class_noun,
            "color": "unseen" if gray else self.color,
            "pattern": self.pattern,
            "accent": "unseen" if gray else self.accent,
            "background": self.background,
            "outfit": self.outfit,
            "finish": self.finish,
            "view": self.view,
            "light": self.light,
        }
