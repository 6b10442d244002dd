"""Control `words`: no training; the subject is described in words."""

from __future__ import annotations

from typing import ClassVar

from methods.interface import Method, NoSettings, Task, fill


class Words(Method):
    """Puts the descriptor before the class noun."""

    name: ClassVar[str] = "words"
    summary: ClassVar[str] = "no personalization: descriptor and class noun"
    trains: ClassVar[bool] = False

    def prompt(self, template: str, task: Task, settings: NoSettings) -> str:
        """ "a {subject} in the snow" becomes "a red vase in the snow"."""
        return fill(template, f"{task.descriptor} {task.class_noun}")
