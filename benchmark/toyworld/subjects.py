"""The held-out subjects: fixed looks that no training picture shows, each seen in five views."""

from __future__ import annotations

from dataclasses import dataclass, replace

from benchmark.toyworld.scenes import Scene


@dataclass(frozen=True)
class Look:
    """What makes a subject itself, in every view."""

    class_noun: str
    color: str
    pattern: str
    accent: str
    proportions: tuple[float, float, float]

    def scene(self) -> Scene:
        """The subject by itself: a scene that asks for nothing else."""
        return Scene(self.class_noun, self.color, self.pattern, self.accent, self.proportions)


SUBJECTS: dict[str, Look] = {
    "spotted_dog": Look("dog", "purple", "dotted", "yellow", (0.7, 0.6, 0.9)),
    "tiger_cat": Look("cat", "orange", "striped", "blue", (0.3, 0.7, 0.8)),
    "picnic_teapot": Look("teapot", "red", "checked", "white", (0.8, 0.4, 0.6)),
    "polka_backpack": Look("backpack", "blue", "dotted", "orange", (0.6, 0.3, 0.8)),
    "pink_toy": Look("toy", "pink", "plain", "green", (0.8, 0.5, 0.7)),
    "striped_vase": Look("vase", "green", "striped", "red", (0.9, 0.2, 0.6)),
    "plush_panda": Look("stuffed animal", "yellow", "checked", "black", (0.5, 0.8, 0.7)),
    "rain_boot": Look("boot", "yellow", "dotted", "blue", (0.4, 0.6, 0.5)),
    "night_clock": Look("clock", "black", "plain", "pink", (0.6, 0.8, 0.4)),
    "candy_cartoon": Look("cartoon", "pink", "striped", "purple", (0.3, 0.7, 0.9)),
}

# The views of a subject, like DreamBench's photos: plain rooms, another place or two, other
# distances, one of them mirrored.
VIEW_NAMES = ("00.png", "01.png", "02.png", "03.png", "04.png")


def views(look: Look) -> dict[str, Scene]:
    """The five views of a subject by photo name; the first is the training shot of split n1."""
    scene = look.scene()
    return {
        "00.png": replace(scene, detail=11),
        "01.png": replace(scene, detail=23, scale=0.9, shift=(0.06, 0.0)),
        "02.png": replace(scene, background="on-a-wooden-floor", detail=5, scale=1.08),
        "03.png": replace(scene, detail=42, scale=1.12, shift=(-0.05, 0.02), flip=True),
        "04.png": replace(
            scene, background="on-a-dirt-road", detail=8, scale=0.95, shift=(-0.04, 0.0)
        ),
    }
