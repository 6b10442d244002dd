"""The places of DreamBench's prompts, one function each, painted on a square canvas.

Coordinates are fractions of the canvas; small things vary with `rng`, large ones stay put so that
a small model can learn them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

from PIL import Image, ImageDraw

from benchmark.toyworld.pen import shade
from benchmark.toyworld.scenes import RGB

SKY: RGB = (150, 205, 245)
GRASS: RGB = (92, 172, 76)


class Backdrop:
    """A canvas addressed in fractions of its side."""

    def __init__(self, size: int):
        self.size = size
        self.image = Image.new("RGB", (size, size), SKY)
        self._draw = ImageDraw.Draw(self.image)

    def rect(self, x0: float, y0: float, x1: float, y1: float, fill: RGB) -> None:
        """A rectangle between two corners, in fractions of the side; y runs down."""
        s = self.size
        self._draw.rectangle((x0 * s, y0 * s, x1 * s, y1 * s), fill=fill)

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: RGB) -> None:
        """The ellipse that fills the rectangle between two corners, as in `rect`."""
        s = self.size
        self._draw.ellipse((x0 * s, y0 * s, x1 * s, y1 * s), fill=fill)

    def poly(self, points: Sequence[tuple[float, float]], fill: RGB) -> None:
        """A filled polygon; points in fractions of the side."""
        self._draw.polygon([(x * self.size, y * self.size) for x, y in points], fill=fill)

    def line(self, points: Sequence[tuple[float, float]], width: float, fill: RGB) -> None:
        """A polyline; points and width in fractions of the side, at least one pixel wide."""
        self._draw.line(
            [(x * self.size, y * self.size) for x, y in points],
            fill=fill, width=max(1, round(width * self.size)), joint="curve",
        )  # fmt: skip

    def sky_and_ground(self, horizon: float, sky: RGB, ground: RGB) -> None:
        """Fills all: sky above the horizon, a fraction of the height from the top."""
        self.rect(0, 0, 1, horizon, sky)
        self.rect(0, horizon, 1, 1, ground)


def studio(b: Backdrop, rng: random.Random) -> None:
    tints: tuple[RGB, ...] = ((222, 228, 236), (236, 226, 214), (216, 232, 220), (232, 220, 234))
    wall = rng.choice(tints)
    b.sky_and_ground(0.7, wall, shade(wall, 0.86))


def jungle(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.78, (22, 78, 40), (40, 58, 24))
    for x in (0.1, 0.86):
        b.rect(x - 0.035, 0, x + 0.035, 0.8, (84, 58, 34))
    for i in range(9):
        x, y = i / 8 + rng.uniform(-0.03, 0.03), rng.choice((0.06, 0.16, 0.3))
        b.poly([(x, y), (x - 0.17, y + 0.12), (x - 0.1, y + 0.24)], (44, 132, 56))
        b.poly([(x, y), (x + 0.17, y + 0.12), (x + 0.1, y + 0.24)], (64, 160, 62))
    for x in (0.04, 0.3, 0.72, 0.97):
        b.poly([(x - 0.07, 1), (x + 0.07, 1), (x + rng.uniform(-0.05, 0.05), 0.8)], (54, 146, 58))


def snow(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.62, (172, 198, 224), (238, 244, 252))
    for x in (0.12, 0.9):
        b.poly([(x, 0.3), (x - 0.12, 0.64), (x + 0.12, 0.64)], (48, 98, 84))
        b.poly([(x, 0.3), (x - 0.05, 0.42), (x + 0.05, 0.42)], (250, 252, 255))
    for i in range(18):
        x, y = (i * 0.37 + rng.uniform(0, 0.1)) % 1, (i * 0.173 + rng.uniform(0, 0.05)) % 0.6
        b.ellipse(x - 0.014, y - 0.014, x + 0.014, y + 0.014, (255, 255, 255))


def beach(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.45, (128, 206, 250), (24, 120, 200))
    b.rect(0, 0.64, 1, 1, (240, 208, 142))
    b.rect(0, 0.62, 1, 0.65, (250, 250, 250))
    x = rng.uniform(0.8, 0.86)
    b.ellipse(x - 0.09, 0.06, x + 0.09, 0.24, (255, 224, 70))


def cobblestones(b: Backdrop, rng: random.Random) -> None:
    b.rect(0, 0, 1, 1, (66, 66, 72))
    for row in range(8):
        for column in range(-1, 6):
            x = column * 0.2 + 0.1 * (row % 2) + rng.uniform(0, 0.02)
            gray = rng.randrange(128, 168)
            b.ellipse(x + 0.01, row * 0.125 + 0.01, x + 0.185, row * 0.125 + 0.118, (gray,) * 3)


def pink_fabric(b: Backdrop, rng: random.Random) -> None:
    b.rect(0, 0, 1, 1, (252, 170, 200))
    for i in range(5):
        x = 0.1 + 0.2 * i + rng.uniform(-0.03, 0.03)
        b.line([(x, 0), (x + 0.06, 0.35), (x - 0.03, 0.7), (x + 0.04, 1)], 0.03, (226, 118, 160))


def wooden_floor(b: Backdrop, rng: random.Random) -> None:
    b.rect(0, 0, 1, 1, (186, 126, 70))
    for row in range(6):
        top = row / 6
        b.rect(0, top, 1, top + 1 / 6, shade((196, 134, 76), rng.uniform(0.9, 1.05)))
        b.rect(0, top, 1, top + 0.016, (112, 68, 34))
        x = (0.3 + 0.43 * row + rng.uniform(0, 0.08)) % 1
        b.rect(x, top, x + 0.014, top + 1 / 6, (112, 68, 34))


def city(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.74, (178, 214, 240), (104, 106, 112))
    x = 0.0
    for i, height in enumerate((0.42, 0.58, 0.36, 0.5, 0.62, 0.4)):
        top = 0.74 - height + rng.uniform(-0.03, 0.03)
        b.rect(x + 0.008, top, x + 0.158, 0.74, ((84, 96, 122), (112, 120, 140))[i % 2])
        for row in range(4):
            for column in range(2):
                left, y = x + 0.035 + 0.06 * column, top + 0.04 + 0.085 * row
                if y < 0.68:
                    b.rect(left, y, left + 0.034, y + 0.042, (255, 226, 120))
        x += 0.167


def mountain(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.72, (156, 208, 246), GRASS)
    for middle, top in ((0.24, 0.14), (0.76, 0.24)):
        x = middle + rng.uniform(-0.03, 0.03)
        b.poly([(x, top), (x - 0.34, 0.72), (x + 0.34, 0.72)], (112, 110, 128))
        b.poly([(x, top), (x - 0.1, top + 0.17), (x + 0.1, top + 0.17)], (252, 252, 255))


def blue_house(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.76, (190, 226, 250), GRASS)
    x = rng.uniform(-0.02, 0.02)
    b.rect(0.12 + x, 0.36, 0.88 + x, 0.76, (52, 104, 204))
    b.poly([(0.04 + x, 0.38), (0.5 + x, 0.08), (0.96 + x, 0.38)], (120, 58, 44))
    for left in (0.18, 0.68):
        b.rect(left + x, 0.45, left + 0.14 + x, 0.6, (255, 244, 190))


def purple_rug(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.68, (66, 104, 78), (88, 72, 48))
    for i in range(6):
        x = 0.02 + 0.19 * i + rng.uniform(-0.02, 0.02)
        b.rect(x - 0.02, 0.4, x + 0.02, 0.7, (82, 58, 40))
        b.poly([(x, 0.0), (x - 0.12, 0.48), (x + 0.12, 0.48)], (26, 84, 50))
    b.ellipse(0.03, 0.72, 0.97, 0.99, (88, 36, 138))
    b.ellipse(0.08, 0.745, 0.92, 0.965, (150, 84, 206))


def wheat_field(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.4, (166, 214, 246), (226, 182, 74))
    for i in range(14):
        x = i / 13 + rng.uniform(-0.02, 0.02)
        b.line([(x, 0.98), (x + 0.02, 0.42)], 0.014, (176, 124, 34))
        b.ellipse(x - 0.012, 0.34, x + 0.048, 0.5, (248, 212, 110))


def autumn(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.72, (206, 226, 238), (170, 118, 62))
    b.rect(0.78, 0.3, 0.88, 0.76, (96, 62, 38))
    leaves: tuple[RGB, ...] = ((226, 84, 28), (244, 158, 30), (200, 48, 34))
    for i, (x, y) in enumerate(((0.7, 0.2), (0.95, 0.2), (0.83, 0.08), (0.83, 0.28))):
        b.ellipse(x - 0.17, y - 0.15, x + 0.17, y + 0.15, leaves[i % 3])
    for i in range(12):
        x, y = (i * 0.29 + rng.uniform(0, 0.1)) % 1, 0.76 + (i * 0.077) % 0.22
        b.ellipse(x - 0.03, y - 0.018, x + 0.03, y + 0.018, leaves[i % 3])


def eiffel_tower(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.78, (188, 218, 244), (112, 178, 88))
    x = 0.76 + rng.uniform(-0.03, 0.03)
    iron: RGB = (92, 72, 60)
    b.poly([(x - 0.02, 0.03), (x + 0.02, 0.03), (x + 0.07, 0.45), (x - 0.07, 0.45)], iron)
    b.poly([(x - 0.07, 0.43), (x + 0.07, 0.43), (x + 0.2, 0.79), (x - 0.2, 0.79)], iron)
    b.poly([(x, 0.58), (x + 0.1, 0.79), (x - 0.1, 0.79)], (188, 218, 244))
    for y, half in ((0.43, 0.1), (0.56, 0.14)):
        b.rect(x - half, y, x + half, y + 0.03, shade(iron, 0.8))


def water(b: Backdrop, rng: random.Random) -> None:
    b.rect(0, 0, 1, 1, (30, 118, 206))
    for row in range(8):
        for column in range(3):
            x = column * 0.36 + 0.18 * (row % 2) + rng.uniform(-0.03, 0.03)
            y = 0.06 + row * 0.125
            b.line([(x, y), (x + 0.07, y - 0.03), (x + 0.14, y)], 0.018, (140, 206, 250))


def milk(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.34, (250, 214, 180), (250, 246, 232))
    for row in range(4):
        y = 0.42 + 0.15 * row
        x = rng.uniform(-0.05, 0.05)
        b.line(
            [(x, y), (x + 0.25, y - 0.05), (x + 0.5, y), (x + 0.75, y - 0.05), (x + 1.1, y)],
            0.022, (222, 206, 176),
        )  # fmt: skip


def sunflowers(b: Backdrop, rng: random.Random) -> None:
    b.rect(0, 0, 1, 1, (72, 160, 62))
    for x, y in ((0.1, 0.12), (0.9, 0.12), (0.08, 0.48), (0.92, 0.48), (0.12, 0.86), (0.88, 0.86),
                 (0.5, 0.08)):  # fmt: skip
        x, y = x + rng.uniform(-0.02, 0.02), y + rng.uniform(-0.02, 0.02)
        b.ellipse(x - 0.1, y - 0.1, x + 0.1, y + 0.1, (252, 206, 32))
        b.ellipse(x - 0.045, y - 0.045, x + 0.045, y + 0.045, (96, 56, 24))


def mirror(b: Backdrop, rng: random.Random) -> None:
    b.rect(0, 0, 1, 1, (150, 112, 120))
    b.ellipse(0.02, 0.5, 0.98, 0.99, (214, 168, 60))
    b.ellipse(0.06, 0.53, 0.94, 0.96, (204, 230, 240))
    x = rng.uniform(-0.03, 0.03)
    for left in (0.2, 0.64):
        b.poly(
            [(left + x, 0.92), (left + 0.06 + x, 0.92), (left + 0.18 + x, 0.58),
             (left + 0.12 + x, 0.58)], (244, 252, 255),
        )  # fmt: skip


def crowded_street(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.62, (206, 200, 190), (170, 170, 172))
    coats: tuple[RGB, ...] = ((176, 62, 62), (62, 96, 150), (70, 120, 84), (150, 110, 60))
    for i in range(7):
        x = 0.04 + 0.155 * i + rng.uniform(-0.02, 0.02)
        b.ellipse(x - 0.06, 0.22, x + 0.06, 0.75, coats[i % 4])
        b.ellipse(x - 0.045, 0.12, x + 0.045, 0.25, (232, 186, 150))
    b.rect(0, 0.66, 1, 1, (186, 184, 180))
    for x in (0.12, 0.5, 0.88):
        b.line([(x, 0.66), (0.5 + (x - 0.5) * 1.7, 1)], 0.016, (128, 126, 124))
    b.rect(0, 0.66, 1, 0.685, (128, 126, 124))


def dirt_road(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.42, (170, 212, 244), (118, 172, 78))
    b.poly([(0.42, 0.42), (0.58, 0.42), (1.02, 1), (-0.02, 1)], (158, 108, 66))
    for i in range(7):
        y = 0.56 + 0.06 * i
        x = 0.5 + rng.uniform(-0.3, 0.3) * (y - 0.3)
        b.ellipse(x - 0.03, y - 0.012, x + 0.03, y + 0.012, (112, 72, 42))


def white_rug(b: Backdrop, rng: random.Random) -> None:
    b.sky_and_ground(0.5, (176, 152, 132), (122, 80, 54))
    b.ellipse(0.01, 0.6, 0.99, 1.0, (208, 202, 194))
    b.ellipse(0.04, 0.62, 0.96, 0.97, (250, 248, 244))
    x = rng.uniform(-0.02, 0.02)
    b.rect(0.1 + x, 0.08, 0.3 + x, 0.34, (222, 206, 170))


BACKGROUND_DRAWINGS: dict[str, Callable[[Backdrop, random.Random], None]] = {
    "studio": studio,
    "in-the-jungle": jungle,
    "in-the-snow": snow,
    "on-the-beach": beach,
    "on-a-cobblestone-street": cobblestones,
    "on-pink-fabric": pink_fabric,
    "on-a-wooden-floor": wooden_floor,
    "with-a-city": city,
    "with-a-mountain": mountain,
    "with-a-blue-house": blue_house,
    "on-a-purple-rug-in-a-forest": purple_rug,
    "with-a-wheat-field": wheat_field,
    "with-autumn-leaves": autumn,
    "with-the-eiffel-tower": eiffel_tower,
    "floating-on-water": water,
    "floating-in-milk": milk,
    "on-grass-with-sunflowers": sunflowers,
    "on-a-mirror": mirror,
    "on-a-crowded-sidewalk": crowded_street,
    "on-a-dirt-road": dirt_road,
    "on-a-white-rug": white_rug,
}
