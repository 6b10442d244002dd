"""Drawing in an icon's own coordinates, several times larger than the final picture.

Icons stand on the ground line: x runs from -1 to 1, y from 0 (ground) up to about 2. Pillow has
no antialiasing, so everything is drawn on a large canvas and reduced once at the end.
"""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops, ImageDraw

from benchmark.toyworld.scenes import COLORS, RGB

OUTLINE: RGB = (26, 24, 30)
Point = tuple[float, float]
Fill = RGB | str


def shade(color: RGB, factor: float) -> RGB:
    """Darker below 1, lighter above 1 (towards white)."""
    if factor <= 1:
        r, g, b = (round(c * factor) for c in color)
    else:
        r, g, b = (round(c + (255 - c) * (factor - 1)) for c in color)
    return r, g, b


def pattern_tile(
    size: int, color: RGB, pattern: str, unit: float, origin: tuple[float, float]
) -> Image.Image:
    """A square of `size` px filled with the body pattern.

    `unit` is one icon unit in px; the pattern is anchored at `origin` (px), so that it moves and
    grows with the subject.
    """
    tile = Image.new("RGB", (size, size), color)
    if pattern == "plain":
        return tile
    second = COLORS["gray"] if color == COLORS["white"] else COLORS["white"]
    draw = ImageDraw.Draw(tile)
    step = unit * 0.40
    reach = range(-round(size / step) - 1, round(size / step) + 2)
    x0, y0 = origin
    if pattern == "striped":
        for i in reach:
            draw.rectangle((0, y0 + i * step, size, y0 + (i + 0.42) * step), fill=second)
    elif pattern == "dotted":
        radius = step * 0.27
        for row in reach:
            y = y0 + (row + 0.5) * step * 0.82
            for column in reach:
                x = x0 + (column + 0.5 * (row % 2)) * step
                draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=second)
    else:
        cell = step * 0.72
        for row in reach:
            y = y0 + row * cell
            for column in reach:
                if (row + column) % 2:
                    x = x0 + column * cell
                    draw.rectangle((x, y, x + cell - 1, y + cell - 1), fill=second)
    return tile


class Pen:
    """A layer with its own silhouette; fills are RGB or "body" for the subject's pattern."""

    def __init__(self, size: int, center: float, ground: float, unit: float, body: Image.Image):
        self.size = size
        self.center = center
        self.ground = ground
        self.unit = unit
        self.body = body
        self.layer = Image.new("RGB", (size, size))
        self.mask = Image.new("L", (size, size), 0)
        self._on_layer = ImageDraw.Draw(self.layer)
        self._on_mask = ImageDraw.Draw(self.mask)

    def at(self, point: Point) -> Point:
        """A point in icon units, y up from the ground, as pixels, y down."""
        return self.center + point[0] * self.unit, self.ground - point[1] * self.unit

    def _box(self, x0: float, y0: float, x1: float, y1: float) -> tuple[float, ...]:
        left, bottom = self.at((min(x0, x1), min(y0, y1)))
        right, top = self.at((max(x0, x1), max(y0, y1)))
        return left, top, right, bottom

    def ellipse(self, x0: float, y0: float, x1: float, y1: float, fill: Fill) -> None:
        """The ellipse that fills the box between two corners, in icon units."""
        self._shape("ellipse", self._box(x0, y0, x1, y1), fill)

    def circle(self, x: float, y: float, radius: float, fill: Fill) -> None:
        """A circle by its centre and radius, in icon units."""
        self.ellipse(x - radius, y - radius, x + radius, y + radius, fill)

    def rect(
        self, x0: float, y0: float, x1: float, y1: float, fill: Fill, radius: float = 0.0
    ) -> None:
        """The box between two corners, its own corners rounded by `radius`, in icon units."""
        self._shape("rounded_rectangle", self._box(x0, y0, x1, y1), fill, radius=radius * self.unit)

    def poly(self, points: Sequence[Point], fill: Fill) -> None:
        """A filled polygon; points in icon units."""
        self._shape("polygon", [self.at(p) for p in points], fill)

    def line(self, points: Sequence[Point], width: float, fill: Fill) -> None:
        """A polyline with round ends; `width` in icon units."""
        pixels = max(1, round(width * self.unit))
        path = [self.at(p) for p in points]
        self._shape("line", path, fill, width=pixels, joint="curve")
        for x, y in (path[0], path[-1]):
            r = pixels / 2
            self._shape("ellipse", (x - r, y - r, x + r, y + r), fill)

    def arc(
        self, x0: float, y0: float, x1: float, y1: float, start: int, end: int,
        width: float, fill: RGB,
    ) -> None:  # fmt: skip
        """Part of an ellipse's rim; angles in degrees, clockwise from three o'clock."""
        box, pixels = self._box(x0, y0, x1, y1), max(1, round(width * self.unit))
        self._on_layer.arc(box, start, end, fill=fill, width=pixels)
        self._on_mask.arc(box, start, end, fill=255, width=pixels)

    def _shape(self, kind: str, where: object, fill: Fill, **options: object) -> None:
        getattr(self._on_mask, kind)(where, fill=255, **options)
        if fill == "body":
            stencil = Image.new("L", (self.size, self.size), 0)
            getattr(ImageDraw.Draw(stencil), kind)(where, fill=255, **options)
            self.layer.paste(self.body, (0, 0), stencil)
        else:
            getattr(self._on_layer, kind)(where, fill=fill, **options)

    def stamp(self, canvas: Image.Image, outline: float, flip: bool = False) -> None:
        """Pastes the layer onto the canvas with a dark outline of `outline` px around it."""
        layer, mask = self.layer, self.mask
        if flip:
            shift = round(2 * self.center - self.size)
            layer = ImageChops.offset(layer.transpose(Image.Transpose.FLIP_LEFT_RIGHT), shift, 0)
            mask = ImageChops.offset(mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT), shift, 0)
        canvas.paste(OUTLINE, (0, 0), grow(mask, outline))
        canvas.paste(layer, (0, 0), mask)


def grow(mask: Image.Image, pixels: float) -> Image.Image:
    """The mask, widened by about `pixels` in every direction."""
    straight, slanted = round(pixels), round(pixels * 0.71)
    wide = mask
    for dx, dy in (
        (straight, 0), (-straight, 0), (0, straight), (0, -straight),
        (slanted, slanted), (-slanted, slanted), (slanted, -slanted), (-slanted, -slanted),
    ):  # fmt: skip
        wide = ImageChops.lighter(wide, ImageChops.offset(mask, dx, dy))
    return wide
