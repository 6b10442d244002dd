"""The fifteen icons, one function each; all stand on y = 0 and are about two units tall.

Each takes the pen, the body colour, the accent colour and three proportions in [0, 1], and
returns the anchor of the head (x, y, radius) where hats and glasses go, or None.
"""

from __future__ import annotations

from collections.abc import Callable

from benchmark.toyworld.pen import OUTLINE, Pen, shade
from benchmark.toyworld.scenes import RGB

WHITE: RGB = (250, 250, 248)
STEEL: RGB = (190, 194, 200)
Proportions = tuple[float, float, float]
Head = tuple[float, float, float]
EDGE = 0.055  # width of inner outlines, in icon units


def mix(low: float, high: float, share: float) -> float:
    return low + (high - low) * share


def backpack(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    half, tall = mix(0.55, 0.78, p[0]), mix(1.5, 1.85, p[1])
    pen.arc(-0.28, tall - 0.2, 0.28, tall + 0.28, 180, 360, 0.12, OUTLINE)
    for side in (-1, 1):
        pen.rect(side * (half - 0.05), 0.2, side * (half + 0.18), 1.0, shade(color, 0.62), 0.1)
    pen.rect(-half, 0.0, half, tall, "body", 0.4)
    pen.line([(-half + 0.1, tall * 0.66), (half - 0.1, tall * 0.66)], EDGE, OUTLINE)
    pocket = mix(0.32, 0.46, p[2])
    pen.rect(-pocket - EDGE, 0.14 - EDGE, pocket + EDGE, 0.80 + EDGE, OUTLINE, 0.15)
    pen.rect(-pocket, 0.14, pocket, 0.80, accent, 0.13)
    pen.rect(-0.09, 0.42, 0.09, 0.58, OUTLINE, 0.04)


def stuffed_animal(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    belly, head, ear = mix(0.5, 0.64, p[0]), mix(0.46, 0.56, p[1]), mix(0.16, 0.25, p[2])
    top = 1.38
    for side in (-1, 1):
        pen.circle(side * head * 0.82, top + head * 0.72, ear, "body")
        pen.circle(side * head * 0.82, top + head * 0.72, ear * 0.55, accent)
        pen.ellipse(side * 0.42, 0.55, side * 0.9, 1.0, "body")
        pen.ellipse(side * 0.14, 0.0, side * 0.78, 0.42, "body")
        pen.circle(side * 0.56, 0.2, 0.14, accent)
    pen.ellipse(-belly, 0.05, belly, 1.15, "body")
    pen.ellipse(-belly * 0.55, 0.2, belly * 0.55, 0.92, accent)
    pen.circle(0, top, head, "body")
    pen.ellipse(-0.22, top - 0.34, 0.22, top - 0.02, WHITE)
    pen.ellipse(-0.1, top - 0.17, 0.1, top - 0.03, OUTLINE)
    _eyes(pen, top + 0.1, 0.2, 0.075)


def bowl(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    half, deep = mix(0.85, 1.02, p[0]), mix(0.75, 1.0, p[1])
    rim = deep + 0.12
    pen.rect(-0.38, 0.0, 0.38, 0.16, shade(color, 0.62), 0.04)
    steps = [i / 10 for i in range(-10, 11)]
    pen.poly([(half * s, rim - deep * (1 - abs(s) ** mix(2.0, 3.2, p[2]))) for s in steps], "body")
    pen.ellipse(-half, rim - 0.22, half, rim + 0.22, OUTLINE)
    pen.ellipse(-half + 0.08, rim - 0.15, half - 0.08, rim + 0.15, accent)


def can(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    half, tall = mix(0.42, 0.58, p[0]), mix(1.45, 1.8, p[1])
    pen.ellipse(-half, -0.02, half, 0.3, STEEL)
    pen.rect(-half, 0.14, half, tall, "body")
    band = mix(0.45, 0.62, p[2])
    pen.rect(-half, tall * 0.5 - band / 2, half, tall * 0.5 + band / 2, OUTLINE)
    pen.rect(-half, tall * 0.5 - band / 2 + EDGE, half, tall * 0.5 + band / 2 - EDGE, accent)
    pen.ellipse(-half, tall - 0.17, half, tall + 0.17, OUTLINE)
    pen.ellipse(-half + EDGE, tall - 0.12, half - EDGE, tall + 0.12, STEEL)
    pen.ellipse(-0.14, tall - 0.05, 0.14, tall + 0.05, (110, 112, 120))


def candle(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    half, tall = mix(0.28, 0.46, p[0]), mix(1.05, 1.35, p[1])
    plate = mix(0.62, 0.85, p[2])
    pen.ellipse(-plate, 0.0, plate, 0.3, accent)
    pen.rect(-half, 0.14, half, tall, "body", 0.08)
    pen.ellipse(-half, tall - 0.1, half, tall + 0.1, shade(color, 1.45))
    pen.line([(0, tall), (0, tall + 0.14)], 0.06, OUTLINE)
    base = tall + 0.1
    for reach, hue in ((1.0, (248, 128, 20)), (0.6, (255, 226, 90))):
        pen.poly(
            [(0, base + 0.62 * reach), (0.17 * reach, base + 0.22), (0.1 * reach, base + 0.04),
             (-0.1 * reach, base + 0.04), (-0.17 * reach, base + 0.22)], hue,
        )  # fmt: skip
        pen.circle(0, base + 0.17, 0.16 * reach, hue)


def cat(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> Head:
    half, head = mix(0.40, 0.52, p[0]), mix(0.44, 0.53, p[1])
    top = 1.28
    tail = mix(0.7, 1.15, p[2])
    pen.line([(half * 0.6, 0.16), (0.82, 0.3), (0.86, tail)], 0.2, "body")
    _torso(pen, half, top)
    for side in (-1, 1):
        pen.poly(
            [(side * head * 0.98, top + 0.05), (side * head * 0.92, top + head + 0.26),
             (side * 0.08, top + head * 0.86)], "body",
        )  # fmt: skip
        pen.poly(
            [(side * head * 0.8, top + 0.24), (side * head * 0.82, top + head + 0.08),
             (side * 0.24, top + head * 0.8)], (255, 170, 190),
        )  # fmt: skip
    pen.ellipse(-head * 1.08, top - head * 0.9, head * 1.08, top + head * 0.9, "body")
    _collar(pen, accent, half)
    _eyes(pen, top + 0.08, 0.21, 0.1, (70, 200, 90))
    pen.poly([(-0.08, top - 0.08), (0.08, top - 0.08), (0, top - 0.18)], (240, 110, 140))
    for side in (-1, 1):
        for drop in (-0.02, 0.08):
            pen.line([(side * 0.2, top - 0.16), (side * 0.62, top - 0.12 - drop)], 0.03, OUTLINE)
    return 0.0, top, head


def dog(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> Head:
    half, head, ear = mix(0.42, 0.54, p[0]), mix(0.44, 0.52, p[1]), mix(0.5, 0.85, p[2])
    top = 1.34
    pen.line([(half * 0.7, 0.3), (0.84, 0.74)], 0.17, "body")
    _torso(pen, half, top)
    pen.circle(0, top, head, "body")
    dark = shade(color, 0.55) if sum(color) > 240 else (92, 92, 100)
    for side in (-1, 1):
        pen.ellipse(
            side * (head * 0.72), top + head * 0.62, side * (head * 0.72 + 0.32),
            top + head * 0.62 - ear, dark,
        )  # fmt: skip
    _collar(pen, accent, half)
    pen.ellipse(-0.24, top - 0.4, 0.24, top + 0.0, WHITE)
    pen.ellipse(-0.13, top - 0.18, 0.13, top + 0.0, OUTLINE)
    pen.line([(0, top - 0.18), (0, top - 0.28)], 0.04, OUTLINE)
    _eyes(pen, top + 0.14, 0.18, 0.085)
    return 0.0, top, head


def clock(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    ring, bell = mix(0.76, 0.86, p[0]), mix(0.22, 0.32, p[1])
    middle = ring + 0.16
    for side in (-1, 1):
        pen.line([(side * 0.38, 0.4), (side * 0.62, 0.03)], 0.16, OUTLINE)
        pen.circle(side * 0.5, middle + ring * 0.94, bell, accent)
    pen.circle(0, middle, ring, "body")
    face = ring * mix(0.56, 0.66, p[2])
    pen.circle(0, middle, face + EDGE, OUTLINE)
    pen.circle(0, middle, face, WHITE)
    pen.line([(0, middle), (0, middle + face * 0.7)], 0.08, OUTLINE)
    pen.line([(0, middle), (face * 0.52, middle)], 0.08, OUTLINE)


def sneaker(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    back, toe = mix(0.85, 1.1, p[0]), mix(0.42, 0.58, p[1])
    pen.poly(
        [(-1.0, 0.18), (-1.02, back), (-0.72, back + 0.1), (-0.36, back - 0.04), (0.1, toe + 0.12),
         (0.62, toe), (0.94, 0.36), (1.0, 0.18)], "body",
    )  # fmt: skip
    pen.circle(0.7, 0.34, 0.29, "body")
    pen.poly([(-0.55, 0.22), (-0.28, 0.22), (0.08, toe + 0.06), (-0.12, toe + 0.22)], accent)
    for i in range(3):
        x = -0.26 + 0.19 * i
        y = back - 0.16 - 0.17 * i
        pen.line([(x - 0.05, y - 0.12), (x + 0.18, y + 0.1)], 0.075, WHITE)
    sole = mix(0.2, 0.3, p[2])
    pen.rect(-1.06, -0.02, 1.06, sole + EDGE, OUTLINE, 0.1)
    pen.rect(-1.04, 0.0, 1.04, sole, WHITE, 0.1)


def toy(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    """A toy car: the class noun covers cars, ducks and robots in DreamBench."""
    roof, cabin, wheel = mix(1.1, 1.35, p[0]), mix(0.42, 0.58, p[1]), mix(0.24, 0.31, p[2])
    pen.poly(
        [(-cabin - 0.18, 0.7), (-cabin + 0.04, roof), (cabin - 0.04, roof), (cabin + 0.24, 0.7)],
        "body",
    )
    pen.rect(-1.05, 0.22, 1.05, 0.82, "body", 0.2)
    glass = (176, 222, 246)
    top = roof - 0.1
    pen.poly([(-cabin, 0.8), (-cabin + 0.12, top), (-0.05, top), (-0.05, 0.8)], glass)
    pen.poly([(cabin + 0.04, 0.8), (cabin - 0.1, top), (0.07, top), (0.07, 0.8)], glass)
    pen.circle(0.95, 0.56, 0.1, (255, 240, 150))
    for x in (-0.58, 0.58):
        pen.circle(x, wheel - 0.02, wheel + 0.04, OUTLINE)
        pen.circle(x, wheel - 0.02, wheel * 0.55, accent)


def boot(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    tall, calf, toe = mix(1.45, 1.85, p[0]), mix(0.36, 0.48, p[1]), mix(0.75, 0.98, p[2])
    pen.rect(-0.55, 0.12, -0.55 + 2 * calf, tall, "body", 0.06)
    pen.rect(-0.55, 0.12, toe, 0.66, "body", 0.26)
    pen.rect(-0.6, 0.14, 0.1, 0.5, "body")
    pen.rect(-0.65, tall - 0.32, -0.45 + 2 * calf, tall + 0.04, OUTLINE, 0.08)
    pen.rect(-0.6, tall - 0.27, -0.5 + 2 * calf, tall, accent, 0.07)
    pen.rect(-0.62, -0.02, toe + 0.06, 0.22, OUTLINE, 0.06)
    pen.rect(-0.62, -0.02, -0.2, 0.3, OUTLINE, 0.03)
    for y in (0.75, 0.95):
        pen.line([(0.02, y), (-0.45 + 2 * calf, y)], 0.06, OUTLINE)


def glasses(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    radius, frame = mix(0.42, 0.5, p[0]), mix(0.15, 0.22, p[1])
    tall = radius * mix(0.78, 1.05, p[2])
    y = 0.72
    for side in (-1, 1):
        pen.line([(side * 0.94, y + 0.1), (side * 1.12, y + 0.42)], 0.17, "body")
    pen.rect(-0.2, y - 0.02, 0.2, y + 0.2, "body")
    for side in (-1, 1):
        x = side * 0.54
        pen.ellipse(x - radius, y - tall, x + radius, y + tall, "body")
        pen.ellipse(
            x - radius + frame - EDGE, y - tall + frame - EDGE,
            x + radius - frame + EDGE, y + tall - frame + EDGE, OUTLINE,
        )  # fmt: skip
        pen.ellipse(
            x - radius + frame,
            y - tall + frame,
            x + radius - frame,
            y + tall - frame,
            shade(accent, 1.35),
        )


def cartoon(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    """A one-eyed cartoon monster."""
    half, tall, eye = mix(0.58, 0.76, p[0]), mix(1.35, 1.6, p[1]), mix(0.26, 0.36, p[2])
    for side in (-1, 1):
        pen.line([(side * 0.3, 0.3), (side * 0.34, 0.06)], 0.2, shade(color, 0.6))
        pen.line([(side * 0.26, tall), (side * 0.44, tall + 0.36)], 0.09, OUTLINE)
        pen.circle(side * 0.44, tall + 0.38, 0.16, accent)
    pen.ellipse(-half, 0.14, half, tall + 0.16, "body")
    y = tall * 0.62
    pen.circle(0, y, eye + EDGE, OUTLINE)
    pen.circle(0, y, eye, WHITE)
    pen.circle(0, y, eye * 0.5, OUTLINE)
    pen.ellipse(-0.32, 0.3, 0.32, 0.62, OUTLINE)
    for x in (-0.15, 0.15):
        pen.rect(x - 0.09, 0.48, x + 0.09, 0.62, WHITE)


def teapot(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    half, tall = mix(0.6, 0.72, p[0]), mix(1.05, 1.3, p[1])
    pen.arc(half - 0.3, tall * 0.24, half + 0.46, tall * 0.84, 250, 110, 0.17, shade(color, 0.7))
    reach = mix(0.92, 1.1, p[2])
    pen.poly(
        [(-half * 0.7, 0.26), (-half * 0.85, 0.66), (-reach, tall * 0.94), (-reach - 0.12, tall),
         (-reach + 0.12, tall + 0.03), (-half * 0.5, tall * 0.8)], "body",
    )  # fmt: skip
    pen.ellipse(-half, 0.0, half, tall, "body")
    pen.rect(-half * 0.55, 0.0, half * 0.55, 0.1, shade(color, 0.6))
    lid = half * 0.56
    pen.ellipse(-lid - EDGE, tall - 0.22, lid + EDGE, tall + 0.14, OUTLINE)
    pen.ellipse(-lid, tall - 0.17, lid, tall + 0.1, accent)
    pen.circle(0, tall + 0.18, 0.13, OUTLINE)
    pen.circle(0, tall + 0.18, 0.08, accent)


def vase(pen: Pen, color: RGB, accent: RGB, p: Proportions) -> None:
    belly, neck, tall = mix(0.48, 0.68, p[0]), mix(0.16, 0.28, p[1]), mix(1.55, 1.85, p[2])
    profile = [(0.32, 0.0), (belly * 0.85, 0.25), (belly, 0.62), (belly * 0.8, 0.98),
               (neck, 1.28), (neck, tall - 0.14), (neck + 0.16, tall)]  # fmt: skip
    pen.poly(profile + [(-x, y) for x, y in reversed(profile)], "body")
    pen.rect(-belly - 0.01, 0.5, belly + 0.01, 0.76, OUTLINE)
    pen.rect(-belly - 0.01, 0.5 + EDGE, belly + 0.01, 0.76 - EDGE, accent)
    pen.ellipse(-neck - 0.18, tall - 0.1, neck + 0.18, tall + 0.1, OUTLINE)
    pen.ellipse(-neck - 0.11, tall - 0.05, neck + 0.11, tall + 0.05, shade(color, 0.5))


def _torso(pen: Pen, half: float, top: float) -> None:
    pen.ellipse(-half, 0.0, half, top, "body")
    pen.rect(-half, 0.0, half, 0.5, "body", 0.2)
    pen.line([(0, 0.04), (0, 0.36)], EDGE, OUTLINE)


def _collar(pen: Pen, accent: RGB, half: float) -> None:
    pen.rect(-half * 0.72, 0.72, half * 0.72, 0.9, OUTLINE, 0.09)
    pen.rect(-half * 0.68, 0.75, half * 0.68, 0.87, accent, 0.06)


def _eyes(pen: Pen, y: float, apart: float, radius: float, iris: RGB | None = None) -> None:
    for side in (-1, 1):
        pen.circle(side * apart, y, radius + 0.05, OUTLINE if iris else WHITE)
        pen.circle(side * apart, y, radius, iris or OUTLINE)
        if iris:
            pen.ellipse(side * apart - 0.035, y - radius, side * apart + 0.035, y + radius, OUTLINE)


ICONS: dict[str, Callable[[Pen, RGB, RGB, Proportions], Head | None]] = {
    "backpack": backpack,
    "stuffed animal": stuffed_animal,
    "bowl": bowl,
    "can": can,
    "candle": candle,
    "cat": cat,
    "clock": clock,
    "sneaker": sneaker,
    "dog": dog,
    "toy": toy,
    "boot": boot,
    "glasses": glasses,
    "cartoon": cartoon,
    "teapot": teapot,
    "vase": vase,
}
