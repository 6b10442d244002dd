"""What cats and dogs wear in DreamBench's prompts, drawn on top of the animal.

Each function takes the pen and the head's anchor (x, y, radius), in icon units. The torso lies
between y = 0 and the head's lower edge, about half a unit to each side.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from benchmark.toyworld.icons import WHITE, Head
from benchmark.toyworld.pen import OUTLINE, Pen
from benchmark.toyworld.scenes import COLORS, RGB

RED, YELLOW, PURPLE, PINK = (COLORS[n] for n in ("red", "yellow", "purple", "pink"))
NAVY: RGB = (28, 44, 110)
EDGE = 0.05


def red_hat(pen: Pen, head: Head) -> None:
    x, y, r = head
    brim = y + r * 0.62
    pen.ellipse(x - r * 0.8, brim - 0.2, x + r * 0.8, brim + 0.62, RED)
    pen.rect(x - r * 1.25, brim - 0.04, x + r * 1.25, brim + 0.13, OUTLINE, 0.08)
    pen.rect(x - r * 1.2, brim, x + r * 1.2, brim + 0.09, RED, 0.05)


def santa_hat(pen: Pen, head: Head) -> None:
    x, y, r = head
    brim = y + r * 0.6
    pen.poly([(x - r, brim), (x + r, brim), (x + r * 0.5, brim + 0.72), (x - 0.1, brim + 0.5)], RED)
    pen.circle(x + r * 0.62, brim + 0.68, 0.17, WHITE)
    pen.rect(x - r * 1.15, brim - 0.06, x + r * 1.15, brim + 0.2, WHITE, 0.12)


def rainbow_scarf(pen: Pen, head: Head) -> None:
    bands = [COLORS[n] for n in ("red", "orange", "yellow", "green", "blue", "purple")]
    for i, band in enumerate(bands):
        left = -0.6 + 0.2 * i
        pen.rect(left, 0.66, left + 0.2, 0.96, band)
    for i, band in enumerate(bands):
        pen.rect(0.16, 0.66 - 0.1 * i, 0.42, 0.56 - 0.1 * i, band)


def top_hat(pen: Pen, head: Head) -> None:
    x, y, r = head
    brim, black = y + r * 0.64, COLORS["black"]
    pen.rect(x - r * 0.7, brim, x + r * 0.7, brim + 0.62, black, 0.03)
    pen.rect(x - r * 0.7, brim + 0.08, x + r * 0.7, brim + 0.2, RED)
    pen.rect(x - r * 1.2, brim - 0.06, x + r * 1.2, brim + 0.08, black, 0.05)
    pen.circle(x + 0.21, y + 0.1, 0.23, (222, 176, 40))
    pen.circle(x + 0.21, y + 0.1, 0.16, WHITE)
    pen.circle(x + 0.21, y + 0.1, 0.08, OUTLINE)


def chef(pen: Pen, head: Head) -> None:
    x, y, r = head
    _shirt(pen, WHITE)
    for level in (0.3, 0.52):
        pen.circle(-0.13, level, 0.05, OUTLINE)
        pen.circle(0.13, level, 0.05, OUTLINE)
    brim = y + r * 0.62
    for side in (-0.34, 0.0, 0.34):
        pen.circle(x + side, brim + 0.48, 0.27, WHITE)
    pen.rect(x - r * 0.78, brim - 0.02, x + r * 0.78, brim + 0.36, WHITE)
    pen.line([(x - r * 0.78, brim + 0.2), (x + r * 0.78, brim + 0.2)], EDGE, COLORS["gray"])


def firefighter(pen: Pen, head: Head) -> None:
    x, y, r = head
    _shirt(pen, (52, 50, 56))
    pen.rect(-0.54, 0.34, 0.54, 0.48, YELLOW)
    brim = y + r * 0.55
    pen.ellipse(x - r * 0.86, brim - 0.3, x + r * 0.86, brim + 0.56, RED)
    pen.rect(x - r * 1.28, brim - 0.04, x + r * 1.28, brim + 0.12, RED, 0.06)
    pen.poly([(x - 0.17, brim + 0.08), (x + 0.17, brim + 0.08), (x, brim + 0.44)], YELLOW)


def police(pen: Pen, head: Head) -> None:
    x, y, r = head
    _shirt(pen, NAVY)
    pen.circle(0.24, 0.5, 0.1, YELLOW)
    brim = y + r * 0.6
    pen.poly(
        [(x - r * 0.85, brim), (x + r * 0.85, brim), (x + r * 1.15, brim + 0.42),
         (x - r * 1.15, brim + 0.42)], NAVY,
    )  # fmt: skip
    pen.rect(x - r * 0.95, brim - 0.08, x + r * 0.95, brim + 0.06, OUTLINE, 0.05)
    pen.circle(x, brim + 0.25, 0.12, YELLOW)


def pink_glasses(pen: Pen, head: Head) -> None:
    x, y, _ = head
    pen.rect(x - 0.45, y + 0.04, x + 0.45, y + 0.16, PINK)
    for side in (-1, 1):
        pen.circle(x + side * 0.24, y + 0.1, 0.24, PINK)
        pen.circle(x + side * 0.24, y + 0.1, 0.14, WHITE)
        pen.circle(x + side * 0.24, y + 0.1, 0.07, OUTLINE)


def yellow_shirt(pen: Pen, head: Head) -> None:
    _shirt(pen, YELLOW)


def wizard(pen: Pen, head: Head) -> None:
    x, y, r = head
    _shirt(pen, PURPLE)
    _star(pen, 0.0, 0.42, 0.17)
    brim = y + r * 0.6
    pen.poly([(x - r * 0.8, brim), (x + r * 0.8, brim), (x + 0.06, brim + 0.86)], PURPLE)
    pen.ellipse(x - r * 1.3, brim - 0.12, x + r * 1.3, brim + 0.12, PURPLE)
    _star(pen, x, brim + 0.34, 0.15)


def _shirt(pen: Pen, fill: RGB) -> None:
    pen.rect(-0.6, 0.12, 0.6, 0.86, OUTLINE, 0.2)
    pen.rect(-0.56, 0.16, 0.56, 0.82, fill, 0.18)


def _star(pen: Pen, x: float, y: float, radius: float) -> None:
    points = []
    for i in range(10):
        reach = radius if i % 2 == 0 else radius * 0.42
        angle = math.pi / 2 + i * math.pi / 5
        points.append((x + reach * math.cos(angle), y + reach * math.sin(angle)))
    pen.poly(points, YELLOW)


OUTFIT_DRAWINGS: dict[str, Callable[[Pen, Head], None]] = {
    "wearing-a-red-hat": red_hat,
    "wearing-a-santa-hat": santa_hat,
    "wearing-a-rainbow-scarf": rainbow_scarf,
    "wearing-a-top-hat-and-monocle": top_hat,
    "in-a-chef-outfit": chef,
    "in-a-firefighter-outfit": firefighter,
    "in-a-police-outfit": police,
    "wearing-pink-glasses": pink_glasses,
    "wearing-a-yellow-shirt": yellow_shirt,
    "in-a-wizard-outfit": wizard,
}
