"""What installed packages offer through entry points. Nothing of theirs is imported to know it.

The entry's name is that of the method, metric or backbone; its value says where that is. A name of
ours, or one that two packages offer, is refused by whoever would use it: neither could be meant.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points

from benchmark.errors import UserError, plugin_code

METRIC_PARTS = ("KIND", "EMITS", "score")
GROUPS = {
    "method": "tbbench.methods",
    "metric": "tbbench.metrics",
    "backbone": "tbbench.backbones",
}
"""Kind of a plug-in -> its group of entry points."""


@dataclass(frozen=True)
class Offer:
    """One entry point. package and version are empty where the installer left none."""

    kind: str
    name: str
    value: str
    package: str
    version: str

    @property
    def origin(self) -> str:
        """What stands in messages: `pkg.words:Words of tbbench-example 1.0`."""
        return f"{self.value} of {self.package} {self.version}" if self.package else self.value


def offers(kind: str) -> list[Offer]:
    """What is offered of a kind, a key of `GROUPS`, by name and then by package."""
    found = {_offer(kind, entry) for entry in entry_points(group=GROUPS[kind])}
    return sorted(found, key=lambda one: (one.name, one.package, one.value))


def own_names(kind: str) -> list[str]:
    """The names of this project's own methods, metrics or backbones."""
    return list(_OWN[kind]())


def refuse_taken(kind: str, name: str) -> None:
    """UserError when a package takes a name of ours, or two packages the same."""
    if (line := taken(kind).get(name)) is not None:
        raise UserError(line)


def taken(kind: str) -> Mapping[str, str]:
    """Name that cannot be used -> why not, and what to do, in one line."""
    found: dict[str, list[Offer]] = {}
    for one in offers(kind):
        found.setdefault(one.name, []).append(one)
    ours = set(own_names(kind)) if found else set()
    lines = {}
    for name, takers in found.items():
        origins = " and ".join(one.origin for one in takers)
        packages = " or ".join(one.package or "that package" for one in takers)
        mend = f"uninstall {packages}, or have its entry point called otherwise"
        if name in ours:
            take = "takes its name" if len(takers) == 1 else "take its name"
            lines[name] = f"{kind} {name!r} is one of ours, and {origins} {take}; {mend}"
        elif len(takers) > 1:
            lines[name] = f"{kind} {name!r} is offered twice, by {origins}; {mend}"
    return lines


def load(kind: str, name: str) -> None:
    """Imports what is offered under the name. UserError when it does not load, or is no such thing.

    A backbone's function is not called: that may download or build weights.
    """
    with plugin_code(kind, name):
        if kind == "method":
            from methods import get_method

            get_method(name)
        elif kind == "metric":
            from benchmark.metrics import get_metric

            module = get_metric(name)
            if missing := [part for part in METRIC_PARTS if not hasattr(module, part)]:
                raise UserError(f"metric {name!r}: its module has no {', '.join(missing)}")
        elif not callable(entry_points(group=GROUPS[kind])[name].load()):
            raise UserError(f"backbone {name!r}: expected a function that gives a Backbone")


def _offer(kind: str, entry: EntryPoint) -> Offer:
    package = entry.dist.name if entry.dist else ""
    return Offer(kind, entry.name, entry.value, package, entry.dist.version if entry.dist else "")


def _own_methods() -> list[str]:
    from methods import own_method_names

    return own_method_names()


def _own_metrics() -> list[str]:
    from benchmark.metrics import own_metric_names

    return own_metric_names()


def _own_backbones() -> list[str]:
    from benchmark.backbones import NAMED

    return list(NAMED)


_OWN: dict[str, Callable[[], list[str]]] = {
    "method": _own_methods,
    "metric": _own_metrics,
    "backbone": _own_backbones,
}
