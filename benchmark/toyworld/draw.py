"""A scene as pixels: background, shadow, icon, outfit, finish, light; drawn large, reduced once."""

from __future__ import annotations

import random

from PIL import Image, ImageDraw, ImageEnhance, ImageOps

from benchmark.toyworld.backgrounds import BACKGROUND_DRAWINGS, Backdrop
from benchmark.toyworld.icons import ICONS
from benchmark.toyworld.outfits import OUTFIT_DRAWINGS
from benchmark.toyworld.pen import Pen, pattern_tile, shade
from benchmark.toyworld.scenes import COLORS, Scene

OVERSAMPLE = 4
UNIT = 0.33  # one icon unit as a fraction of the picture's side, at scale 1
GROUND = 0.88  # where icons stand, as a fraction of the height
FLOATING = ("floating-on-water", "floating-in-milk")


def draw(scene: Scene, size: int = 64) -> Image.Image:
    """Draws the scene as an RGB picture of `size` x `size` pixels; same scene, same pixels."""
    large = size * OVERSAMPLE
    backdrop = Backdrop(large)
    BACKGROUND_DRAWINGS[scene.background](backdrop, random.Random(scene.detail))
    canvas = backdrop.image
    outline = large * 0.014

    unit = UNIT * scene.scale * large
    center = (0.5 + scene.shift[0]) * large
    # A subject that is larger or smaller than usual stays centred on the same spot.
    ground = (GROUND + scene.shift[1] + 0.30 * (scene.scale - 1)) * large
    color = COLORS[scene.color]
    body = pattern_tile(large, color, scene.pattern, unit, (center, ground))
    pen = Pen(large, center, ground, unit, body)

    _ground_mark(canvas, scene, center, ground, unit)
    if scene.finish == "cube shaped":
        _cube(canvas, pen, scene, outline)
    else:
        head = ICONS[scene.class_noun](pen, color, COLORS[scene.accent], scene.proportions)
        pen.stamp(canvas, outline, scene.flip)
        if scene.outfit != "none" and head is not None:
            wear = Pen(large, center, ground, unit, body)
            OUTFIT_DRAWINGS[scene.outfit](wear, head)
            wear.stamp(canvas, outline * 0.7, scene.flip)
    if scene.finish == "shiny":
        _sparkles(canvas, center, ground, unit)
    elif scene.finish == "wet":
        _drops(canvas, center, ground, unit)
    picture = canvas.reduce(OVERSAMPLE)
    return _lit(picture, scene.light)


def _ground_mark(
    canvas: Image.Image, scene: Scene, center: float, ground: float, unit: float
) -> None:
    """A soft shadow, or a ring of ripples where the subject floats."""
    brush = ImageDraw.Draw(canvas, "RGBA")
    box = (center - unit, ground - 0.16 * unit, center + unit, ground + 0.16 * unit)
    if scene.background in FLOATING:
        brush.ellipse(box, fill=(255, 255, 255, 150), outline=(90, 150, 210, 255), width=4)
    else:
        brush.ellipse(box, fill=(0, 0, 0, 70))


def _cube(canvas: Image.Image, pen: Pen, scene: Scene, outline: float) -> None:
    """A cube in the subject's colour and pattern with the small icon on its front."""
    color = COLORS[scene.color]
    pen.poly([(-0.95, 1.4), (0.55, 1.4), (0.95, 1.8), (-0.55, 1.8)], shade(color, 1.35))
    pen.poly([(0.55, 0.0), (0.95, 0.4), (0.95, 1.8), (0.55, 1.4)], shade(color, 0.6))
    pen.rect(-0.95, 0.0, 0.55, 1.4, "body")
    pen.stamp(canvas, outline, scene.flip)
    side = -1 if scene.flip else 1
    small = Pen(
        pen.size, pen.center - side * 0.2 * pen.unit, pen.ground - 0.16 * pen.unit,
        pen.unit * 0.52, pen.body,
    )  # fmt: skip
    ICONS[scene.class_noun](small, color, COLORS[scene.accent], scene.proportions)
    small.stamp(canvas, outline * 0.7, scene.flip)


def _sparkles(canvas: Image.Image, center: float, ground: float, unit: float) -> None:
    brush = ImageDraw.Draw(canvas)
    for x, y, reach in ((-0.75, 1.55, 0.3), (0.8, 1.25, 0.24), (-0.25, 0.8, 0.22), (0.6, 0.3, 0.2)):
        px, py, long, short = center + x * unit, ground - y * unit, reach * unit, reach * unit * 0.2
        brush.polygon(
            [(px, py - long), (px + short, py - short), (px + long, py), (px + short, py + short),
             (px, py + long), (px - short, py + short), (px - long, py), (px - short, py - short)],
            fill=(255, 255, 255),
        )  # fmt: skip


def _drops(canvas: Image.Image, center: float, ground: float, unit: float) -> None:
    brush = ImageDraw.Draw(canvas)
    blue = (60, 170, 250)
    for x, y in ((-0.85, 1.5), (-0.35, 1.9), (0.45, 1.8), (0.9, 1.2), (-0.95, 0.7), (0.85, 0.5)):
        px, py, r = center + x * unit, ground - y * unit, 0.11 * unit
        brush.polygon([(px, py - 2.4 * r), (px - r * 0.9, py), (px + r * 0.9, py)], fill=blue)
        brush.ellipse((px - r, py - r, px + r, py + r), fill=blue)


def _lit(picture: Image.Image, light: str) -> Image.Image:
    if light == "dark":
        return ImageEnhance.Brightness(picture).enhance(0.5)
    if light == "bright":
        return ImageEnhance.Brightness(picture).enhance(1.4)
    if light == "grayscale":
        return ImageOps.grayscale(picture).convert("RGB")
    return picture
