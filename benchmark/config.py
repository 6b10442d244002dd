"""What a run is made of: TOML in, one validated and frozen `RunConfig` out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
)
from pydantic_core import core_schema

from benchmark.config_override import apply_override
from benchmark.config_part import Part
from benchmark.config_photos import Photos
from benchmark.errors import UserError, shown
from benchmark.protocols import apply_protocol, choose_protocol
from benchmark.shipped import toml_names
from benchmark.subjects import unknown
from benchmark.toml_text import read_toml
from textboost.compute import ATTENTION, OPTIMIZERS, PRECISIONS

SAMPLERS = ("dpm++", "ddim", "ddim-eta1", "default")
"""`dpm++` is DPM-Solver++ multistep, `ddim-eta1` DDIM with fresh noise at every step (eta 1), and
`default` the scheduler that the backbone ships with."""

EXECUTORS = ("local", "ray")
TRACKERS = ("tensorboard", "wandb", "mlflow")


def _file_name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", value):
        raise ValueError(
            "expected letters, digits, '.', '_' and '-', 100 at most: it names the run's folder"
        )
    return value


def _all_is_empty(value: object) -> object:
    if isinstance(value, str):
        if value != "all":
            raise ValueError(f'expected a list of names or "all", got {shown(value)}')
        return ()
    if value == []:
        raise ValueError('the list is empty; name some, or write "all"')
    return value


def _without_repeats(values: tuple[Any, ...]) -> tuple[Any, ...]:
    for value in values:
        if values.count(value) > 1:
            raise ValueError(f"{shown(value)} is listed twice; list it once")
    return values


@dataclass(frozen=True)
class _Known:
    """One of `names`, in validation and in the JSON Schema alike."""

    kind: str
    names: Sequence[str]

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        return {**handler(schema), "enum": list(self.names)}

    def _check(self, value: str) -> str:
        if value not in self.names:
            raise ValueError(unknown(self.kind, value, list(self.names)))
        return value


Count = Annotated[int, Field(gt=0)]
Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Guidance = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Names = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_without_repeats)]
NamesOrAll = Annotated[
    tuple[str, ...],
    Field(strict=False),
    AfterValidator(_without_repeats),
    BeforeValidator(_all_is_empty),
    PlainSerializer(lambda names: list(names) or "all", return_type=Any),
    WithJsonSchema(
        {"anyOf": [{"const": "all"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}
    ),
]
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0)], ...],
    Field(strict=False, min_length=1),
    AfterValidator(_without_repeats),
]


class MethodEntry(Part):
    """One method of the run: a preset, with single fields of it replaced by `settings`."""

    name: str
    """Name of the method, as `tbbench methods` lists it, or a plug-in's."""
    preset: str = "paper"
    """Name of one of the method's sets of hyperparameters; `paper` is as published."""
    settings: dict[str, Any] = Field(default={})
    """Hyperparameters that replace the preset's, by name: `steps = 50`."""


class Training(Part):
    """What all methods share while they train."""

    steps: Count | None = None
    """Optimizer steps of every trained method whose own `settings` name none, over its preset."""
    precision: Annotated[str, _Known("precision", PRECISIONS)] = "fp32"
    """Number format of the networks' arithmetic. What is trained stays fp32."""
    resolution: Count | None = None
    """Side of the square pictures in pixels. Left out: what the backbone was made for."""
    attention: Annotated[str, _Known("attention", ATTENTION)] = "sdpa"
    """`sdpa` is the fastest kernel that torch finds, `math` the plain one."""
    optimizer: Annotated[str, _Known("optimizer", OPTIMIZERS)] = "fused"
    """The variant of AdamW; `8bit` needs bitsandbytes."""
    gradient_checkpointing: bool = False
    """Compute the UNet's activations twice instead of keeping them."""
    accumulation: Count = 1
    """In how many parts the pictures of one step go through the networks."""


class Prior(Part):
    """How prior images are sampled, for all methods that use them; as published."""

    steps: Count = 50
    """Denoising steps per picture."""
    guidance_scale: Guidance = 7.5
    """Weight of classifier-free guidance; 1 is none."""
    sampler: Annotated[str, _Known("sampler", SAMPLERS)] = "default"
    """Scheduler of the denoising; `default` is the one that the backbone ships with."""


class Generation(Part):
    """How pictures are sampled, for all methods alike."""

    seeds: Seeds = (0, 1, 2, 3)
    """One picture of every prompt is made with each seed."""
    steps: Count = 25
    """Denoising steps per picture."""
    guidance_scale: Guidance = 7.5
    """Weight of classifier-free guidance; 1 is none."""
    sampler: Annotated[str, _Known("sampler", SAMPLERS)] = "dpm++"
    """Scheduler of the denoising; `dpm++` is DPM-Solver++, `ddim-eta1` DDIM with fresh noise."""
    batch_size: Count = 8
    """Pictures at a time. It changes memory and time, and pictures by rounding alone."""


class Scoring(Part):
    """What the pictures are scored with."""

    metrics: Names = ("fidelity", "alignment", "diversity", "vendi")
    """Names of metrics, built in or a plug-in's."""
    image_encoders: Names = ("efficientnet-lite0", "toy-clip")
    """Networks that see pictures and photos; what compares these is computed with each."""
    text_encoders: Names = ("toy-clip",)
    """Networks that compare pictures with their prompts."""
    batch_size: Count = 32
    """Pictures at a time."""


class Execution(Part):
    """How the work is spread. Nothing here changes a result."""

    executor: Annotated[str, _Known("executor", EXECUTORS)] = "local"
    """`local` is this machine, `ray` a Ray cluster."""
    address: str | None = None
    """Of a running Ray cluster, "auto" or "host:port". Left out: one of this machine is started."""
    workers: Count | None = None
    """Cells at a time. Left out: one per GPU, or as many as the cores allow at `threads` each."""
    threads: Count = 1
    """Threads of one cell on the CPU."""
    device: Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$")] = "auto"
    """auto, cpu, mps, cuda or cuda:N. `auto`: every GPU there is, else the CPU."""
    cell_timeout: Seconds | None = None
    """Seconds after which a cell is ended and has failed; waiting for prior images that another
    cell makes counts. Left out: it takes what it needs."""
    deterministic: bool = False
    """Whether torch must take deterministic kernels and refuse operations that have none."""


class Tracking(Part):
    """Where losses, costs and scores also go as cells end. Nothing here changes a result."""

    to: Annotated[
        tuple[Annotated[str, _Known("tracker", TRACKERS)], ...],
        Field(strict=False),
        AfterValidator(_without_repeats),
    ] = ()
    """Names of trackers, each an extra to install: docs/how-to/trackers.md."""


class RunConfig(Part):
    """A whole run. Which names exist (methods, subjects, ...) is checked when it is planned."""

    name: Annotated[str, AfterValidator(_file_name)]
    """Names the run's folder, `runs/NAME`: letters, digits, '.', '_' and '-'."""
    title: str
    """Heading of the report."""
    protocol: str | None = None
    """A published protocol, which fixes [generation] and [scoring]. Left out: as those say."""
    backbone: str = "toy"
    """The pretrained model: a name such as sd15, a folder with a diffusers pipeline, or hub id."""
    dataset: str = "toyworld"
    """The photos and prompts: dreambench, the drawn toyworld, or photos: a folder of yours."""
    split: str = "n1"
    """Which photos of a subject train; all others are held out. `n1` is one photo."""
    subjects: NamesOrAll = ()
    """Names of subjects, or "all"."""
    prompts: NamesOrAll = ()
    """Ids of prompts, or "all". A subject gets those that its kind, live or object, has."""
    photos: Photos | None = None
    """A subject of one\'s own, where `dataset` is "photos"."""
    train_seeds: Seeds = (0,)
    """Every method is trained anew with each seed."""
    methods: Annotated[tuple[MethodEntry, ...], Field(strict=False, min_length=1)]
    """What is compared; one [[methods]] table each."""
    training: Training = Training()
    """What all methods share while they train."""
    prior: Prior = Prior()
    """How prior images are sampled, for all methods that use them; as published."""
    generation: Generation = Generation()
    """How pictures are sampled, for all methods alike."""
    scoring: Scoring = Scoring()
    """What the pictures are scored with."""
    execution: Execution = Execution()
    """How the work is spread. Nothing here changes a result."""
    tracking: Tracking = Tracking()
    """Where losses, costs and scores also go as cells end. Nothing here changes a result."""


def ready_runs() -> list[str]:
    """Names of the runs that come with the project."""
    return toml_names("configs")


def load_config(
    source: str, overrides: Sequence[str] = (), protocol: str | None = None
) -> RunConfig:
    """The run called `source`: a ready run's name, or the path of a TOML file.

    `overrides` are `key=value` strings, as `--set` takes them: `training.steps=50`, or
    `methods.textboost.steps=50` for one method's setting. `protocol` puts the run under one, in
    the place of what it says itself. UserError on anything not understood.
    """
    path = Path(source)
    if path.suffix == ".toml" or _is_file(path):
        try:
            text = path.read_text(encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"{source} cannot be read ({error.strerror}); give the path of a TOML file "
                f"or a ready run: {', '.join(ready_runs())}"
            ) from error
        except UnicodeDecodeError as error:
            raise UserError(f"{source} is not a TOML file: it is no UTF-8 text") from error
    elif source in ready_runs():
        text = (resources.files("benchmark") / "configs" / f"{source}.toml").read_text("utf-8")
    else:
        raise UserError(f"{unknown('run', source, ready_runs())}, or the path of a TOML file")
    return parse_config(text, source, overrides, protocol)


def _is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def parse_config(
    text: str, source: str, overrides: Sequence[str] = (), protocol: str | None = None
) -> RunConfig:
    """`text` as a run's configuration; `source` names it in error messages."""
    table = read_toml(text, source)
    if protocol is not None:
        choose_protocol(table, protocol)
    for override in overrides:
        apply_override(table, override)
    apply_protocol(table, source)
    try:
        return RunConfig.model_validate(table)
    except ValidationError as error:
        raise UserError(f"{source}: {describe(error)}") from error


def describe(error: ValidationError) -> str:
    """The first thing wrong, in one line that names the key."""
    first = error.errors()[0]
    location = first["loc"]
    key = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        return unknown("key", key, _siblings(location))
    if first["type"] == "missing":
        return f"missing key {shown(key)}"
    if first["type"] == "value_error":
        return f"{key}: {first['ctx']['error']}"
    if first["type"] == "string_pattern_mismatch":
        return f"{key}: expected auto, cpu, cuda, cuda:N or mps, got {shown(first['input'])}"
    return f"{key}: {_EXPECTED.get(first['type'], first['msg'])}, got {shown(first['input'])}"


_EXPECTED = {
    "int_type": "expected a whole number",
    "int_from_float": "expected a whole number",
    "float_type": "expected a number",
    "string_type": "expected text in quotes",
    "bool_type": "expected true or false",
    "tuple_type": "expected a list",
    "dict_type": "expected a table",
    "model_type": "expected a table",
    "too_short": "expected at least one entry",
    "greater_than": "expected a number above 0",
    "greater_than_equal": "expected 0 or more",
    "finite_number": "expected a finite number",
}


def override_keys() -> list[str]:
    """Every key that an override can name but `methods.NAME.SETTING`, such as `training.steps`.

    They are in the order of the configuration.
    """
    return [
        key
        for field in RunConfig.model_fields
        for key in (_siblings((field, "")) if field in _TABLES and field != "methods" else [field])
    ]


def _siblings(location: tuple[int | str, ...]) -> list[str]:
    """All keys that the table holding the key at `location` may have, as full paths."""
    part = _TABLES[str(location[0])] if len(location) > 1 else RunConfig
    prefix = "".join(f"{step}." for step in location[:-1])
    return [prefix + name for name in part.model_fields]


_TABLES: Mapping[str, type[Part]] = {
    "methods": MethodEntry,
    "photos": Photos,
    "training": Training,
    "prior": Prior,
    "generation": Generation,
    "scoring": Scoring,
    "execution": Execution,
    "tracking": Tracking,
}


def toml_text(config: RunConfig) -> str:
    """The configuration with every default filled in, as TOML that `parse_config` reads back."""
    import tomli_w

    return tomli_w.dumps(config.model_dump(exclude_none=True))
