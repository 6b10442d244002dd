"""What the shell completes: the names that arguments and options take.

A shell asks at every press of Tab, so that nothing here imports torch or pandas, opens a photo or
imports a plug-in, and `overrides` alone imports pydantic. What cannot be told completes to nothing,
and the shell then offers files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from glob import escape, glob

import typer

from benchmark.errors import UserError
from benchmark.shipped import toml_names

Completion = Callable[[str], list[str]]


def words(*known: str) -> Completion:
    """One of these."""

    def complete(incomplete: str) -> list[str]:
        return _beginning(incomplete, known)

    return complete


def several(names: Callable[[], Iterable[str]]) -> Completion:
    """Names with commas between them: the last one is completed, by one that is not there yet."""

    def complete(incomplete: str) -> list[str]:
        return _after_commas(incomplete, names())

    return complete


def runs(incomplete: str) -> list[str]:
    """Ready runs, and TOML files."""
    files = sorted(glob(escape(incomplete) + "*.toml"))
    return _beginning(incomplete, [*toml_names("configs"), *files])


def overrides(incomplete: str) -> list[str]:
    """Keys of a run that `--set` takes, each with its `=`."""
    from benchmark.config import override_keys

    return _beginning(incomplete, [f"{key}=" for key in override_keys()])


def protocols(incomplete: str) -> list[str]:
    """Protocols."""
    return _beginning(incomplete, toml_names("protocols"))


def claims(incomplete: str) -> list[str]:
    """Claims files that come with the project."""
    return _beginning(incomplete, toml_names("claims"))


def backbones(incomplete: str) -> list[str]:
    """Backbones that have a name, those of plug-ins included."""
    from benchmark.backbones import backbone_names

    return _beginning(incomplete, backbone_names())


def architectures(incomplete: str) -> list[str]:
    """Architectures that parameters are counted on."""
    from benchmark.backbones.architectures import ARCHITECTURES

    return _beginning(incomplete, ARCHITECTURES)


def datasets(incomplete: str) -> list[str]:
    """Data sets that have a name."""
    from benchmark.subjects import DATASET_NAMES

    return _beginning(incomplete, DATASET_NAMES)


def splits(ctx: typer.Context, incomplete: str) -> list[str]:
    """Splits of the data set."""
    from benchmark.subjects import open_dataset

    try:
        return _beginning(incomplete, open_dataset(_dataset(ctx)).split_names())
    except (UserError, OSError):
        return []


def subjects(ctx: typer.Context, incomplete: str) -> list[str]:
    """Subjects of the data set, with commas between them."""
    from benchmark.subjects import open_dataset

    try:
        return _after_commas(incomplete, open_dataset(_dataset(ctx)).subject_names())
    except (UserError, OSError):
        return []


def prompts(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of the data set's prompts, with commas between them."""
    from benchmark.subjects import open_dataset

    try:
        known = open_dataset(_dataset(ctx))
        ids = dict.fromkeys(one.id for live in (True, False) for one in known.prompts(live))
        return _after_commas(incomplete, ids)
    except (UserError, OSError):
        return []


def trained() -> list[str]:
    """Methods, without our controls, which train nothing, and `all`."""
    from methods import method_names

    return ["all", *(name for name in method_names() if name not in CONTROLS)]


def metrics() -> list[str]:
    """Metrics, those of plug-ins included."""
    from benchmark.metrics import metric_names

    return metric_names()


def image_encoders() -> list[str]:
    """Encoders that have a name."""
    from benchmark.encoder_sources import encoder_names

    return encoder_names()


def text_encoders() -> list[str]:
    """Encoders that embed texts as well."""
    from benchmark.encoder_sources import text_encoder_names

    return text_encoder_names()


CONTROLS = frozenset({"base", "copy", "oracle"})
"""As `benchmark.disk` has them, which takes long to import."""


def _dataset(ctx: typer.Context) -> str:
    """What `--dataset` says before the cursor, or the default."""
    return str(ctx.params.get("dataset") or "dreambench")


def _beginning(incomplete: str, known: Iterable[str]) -> list[str]:
    return [name for name in known if name.startswith(incomplete)]


def _after_commas(incomplete: str, known: Iterable[str]) -> list[str]:
    before, comma, last = incomplete.rpartition(",")
    named = before.split(",") if comma else []
    return [before + comma + one for one in _beginning(last, known) if one not in named]
