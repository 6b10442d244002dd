"""The commands as functions: `run`, `score` and `compare`, with data frames for tables."""

from __future__ import annotations

import html
import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmark.config import RunConfig, load_config, parse_config, toml_text
from benchmark.errors import UserError
from benchmark.store import Run
from benchmark.subjects import unknown

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

Source = str | os.PathLike[str]


@dataclass(frozen=True)
class RunResult:
    """A run directory and its tables, read when first asked for and not again. Reading warns of
    cells that were done on unlike or unknown machines or software, as a report does."""

    folder: Path
    """The run directory: what `tbbench report` takes."""
    failures: tuple[tuple[str, str], ...] = ()
    """(the cell's label, why it failed) of the call that returned this."""

    @cached_property
    def results(self) -> pd.DataFrame:
        """Scores: one row per image x metric x encoder (x reference)."""
        return self._frames["results"]

    @cached_property
    def costs(self) -> pd.DataFrame:
        """Costs: one row per cell x stage x measure; `unit` and `kind` say what `value` is."""
        return self._frames["costs"]

    @cached_property
    def cells(self) -> pd.DataFrame:
        """Planned cells: key, status (done, failed or pending), kind_of_failure, message."""
        return self._frames["cells"]

    def table(self) -> pd.DataFrame:
        """The report's comparison: a row per method, per score its mean and 95% interval."""
        from reports.tables import comparison

        return comparison(self.results)

    def report(self, out: Source | None = None) -> Path:
        """Write the report into `out`, or the run's `report/`; returns its index.html."""
        import reports
        from reports.study import open_study

        return reports.render(open_study([self.folder]), None if out is None else Path(out))

    @cached_property
    def _frames(self) -> dict[str, pd.DataFrame]:
        from benchmark.collect import environment_of, frames, states, stored_frames
        from benchmark.environment_words import cautions

        run = Run.open(self.folder)
        known = states(run)
        for caution in cautions(self.folder.resolve().name, environment_of(run, known)):
            warnings.warn(caution, stacklevel=5)
        return stored_frames(run, known) or frames(run, known)

    def __repr__(self) -> str:
        counts = self.cells["status"].value_counts().to_dict()
        told = ", ".join(f"{count} {status}" for status, count in counts.items())
        return f"RunResult({str(self.folder)!r}: {told or 'no cells'}, {len(self.results)} scores)"

    def _repr_html_(self) -> str:
        """The comparison in a notebook; names come from users and are escaped."""
        head = f"<p><code>{html.escape(repr(self))}</code></p>"
        if self.results.empty:
            return head
        from reports.tables import summary
        from reports.text import comparison_text

        words = comparison_text(summary(self.results))
        return head + str(words.to_html(index=False, escape=True, border=0))


def run(
    config: Source | Mapping[str, Any] | RunConfig,
    *,
    out: Source | None = None,
    overrides: Sequence[str] = (),
    protocol: str | None = None,
    workers: int | None = None,
    device: str | None = None,
    retry: str = "interrupted",
    max_failures: int | None = None,
    quiet: bool = False,
) -> RunResult:
    """Do what is missing of a run, as `tbbench run` does; a finished run is read, not done again.

    `config` is a ready run's name, the path of a TOML file, its content as a mapping, or a
    `RunConfig`. `out` is the run directory, `runs/NAME` by default. `overrides` are `key=value`
    texts as `--set` takes them. `workers` are cells at a time, `device` is auto, cpu, cuda, cuda:N
    or mps. `retry` says which cells that failed before are tried again: interrupted, failed or
    none. One line is printed per finished cell unless `quiet`.
    A cell that fails ends no other: see `failures`. Raises UserError, before any work, for what
    cannot be run, and `benchmark.runner.RunInterruptedError` after Ctrl-C.
    """
    from benchmark.failures import RETRIES
    from benchmark.runner import Patience, run_benchmark

    if retry not in RETRIES:
        raise UserError(f"retry={retry!r}: expected {', '.join(RETRIES)}")
    for name, count in (("workers", workers), ("max_failures", max_failures)):
        if count is not None and count < 1:
            raise UserError(f"{name}={count}: expected 1 or more")
    changes = [overrides] if isinstance(overrides, str) else list(overrides)
    if workers is not None:
        changes.append(f"execution.workers={workers}")
    if device is not None:
        changes.append(f"execution.device={device}")
    chosen = _configuration(config, changes, protocol)
    folder = Path(out) if out is not None else Path("runs") / chosen.name
    patience = Patience(retry, max_failures)
    outcome = run_benchmark(chosen, folder, _console(quiet), patience=patience)
    return RunResult(folder, tuple(outcome.failures))


def score(
    pictures: Source | Sequence[Source] | Mapping[str, Source],
    *,
    dataset: str | None = None,
    split: str | None = None,
    subjects: Sequence[str] = (),
    prompts: Sequence[str] = (),
    seeds: Sequence[int] = (),
    metrics: Sequence[str] | None = None,
    image_encoders: Sequence[str] | None = None,
    text_encoders: Sequence[str] | None = None,
    out: Source | None = None,
    device: str = "auto",
    strict: bool = False,
    quiet: bool = False,
) -> RunResult:
    """Score pictures that were made elsewhere, as `tbbench score` does, into a run directory.

    `pictures` are folders, manifests or runs, or a mapping from a method's name to one. `subjects`,
    `prompts` (ids) and `seeds` are those there should be; what is empty is taken as found.
    What is missing, unclear or unreadable is listed on stderr unless `quiet`; with `strict` nothing
    is scored then. Raises UserError for what cannot be scored.
    """
    from benchmark.any_pictures.find import find_pictures
    from benchmark.any_pictures.options import make_request
    from benchmark.any_pictures.problems import listing, refuse_serious
    from benchmark.any_pictures.result import score_found

    sources, named = [], []
    if isinstance(pictures, Mapping):
        named = [f"{name}={os.fspath(path)}" for name, path in pictures.items()]
    else:
        several = [pictures] if isinstance(pictures, str | os.PathLike) else pictures
        sources = [Path(path) for path in several]
    scoring = {
        "metrics": metrics,
        "image_encoders": image_encoders,
        "text_encoders": text_encoders,
    }
    request = make_request(
        sources,
        named,
        dataset=dataset,
        split=split,
        subjects=",".join(subjects) or None,
        prompts=",".join(prompts) or None,
        seeds=",".join(map(str, seeds)) or None,
        scoring={key: None if names is None else ",".join(names) for key, names in scoring.items()},
        out=None if out is None else Path(out),
        device=device,
    )
    found = find_pictures(request)
    if not quiet:
        for line in listing(found.problems):
            print(line, file=sys.stderr)
    if strict:
        refuse_serious(found.problems)
    if not found.batches:
        raise UserError(
            f"none of the pictures of {', '.join(found.methods)} could be scored; the "
            "problems that quiet=False lists say why"
        )
    outcome = score_found(found, request, _console(quiet))
    left_out = [(name, "none of its pictures could be scored") for name in found.left_out]
    return RunResult(outcome.run.path, (*outcome.failures, *left_out))


def open_run(folder: Source) -> RunResult:
    """The run directory `folder`, finished or not. Raises UserError when it holds no run."""
    return RunResult(Run.open(Path(folder)).path)


def compare(
    runs: RunResult | Source | Sequence[RunResult | Source],
    before: RunResult | Source | None = None,
    *,
    baseline: str = "base",
    metric: str | None = None,
) -> pd.DataFrame:
    """Paired differences: of methods from a baseline, or of runs from an earlier run.

    Without `before`, every method of `runs` minus `baseline`, paired by subject; the row's method
    is `label`. With `before`, every method of `runs` minus the same method there, paired picture by
    picture, as `tbbench report --diff` does. `metric` keeps one metric; without it a baseline is
    compared in the headline's scores, and runs in all.

    Columns of both: metric, encoder, reference, difference (in the metric's unit), low and high
    (its 95% bootstrap interval over subjects), p (sign-flip permutation), p_holm (corrected over
    the scores that were compared), verdict, subjects, note. What needs more subjects is missing,
    and `note` says so. Warns of runs of unlike software or machines, as a report
    does. Raises UserError for runs that cannot be compared and for unknown names.
    """
    from reports.study import open_study

    given = [runs] if isinstance(runs, RunResult | str | os.PathLike) else list(runs)
    if not given:
        raise UserError("compare: no run given; give a run directory, or several")
    study = open_study([_folder(one) for one in given])
    for warning in study.warnings:
        warnings.warn(warning, stacklevel=2)
    if before is None:
        return _from_baseline(study.results(), baseline, metric)
    from reports.compare_runs import compare_with

    changes = compare_with(study, _folder(before))
    for note in changes.notes:
        warnings.warn(note, stacklevel=2)
    table = changes.scores.rename(columns={"change": "difference"})
    if metric is not None:
        _check_metric(metric, table)
        table = table[table["metric"] == metric].reset_index(drop=True)
    return table


def _from_baseline(results: pd.DataFrame, baseline: str, metric: str | None) -> pd.DataFrame:
    from benchmark.protocols import as_published
    from reports.tables import columns, differences, labels, summary

    if results.empty:
        raise UserError("compare: the runs have no scores yet")
    shown = as_published(results)
    named = labels(shown)
    called = named[(shown["method"] == baseline) | (named == baseline)].unique()
    if not len(called):
        raise UserError(unknown("baseline", baseline, sorted({*shown["method"], *named})))
    if len(called) > 1:
        raise UserError(f"baseline {baseline!r} is one of {', '.join(called)}; name one of these")
    table = summary(results)
    chosen = None
    if metric is not None:
        _check_metric(metric, table)
        chosen = [column for column in columns(table) if column.metric == metric]
    return differences(shown, table, baseline, chosen)


def _check_metric(metric: str, table: pd.DataFrame) -> None:
    known = list(dict.fromkeys(table["metric"]))
    if metric not in known:
        raise UserError(unknown("metric", metric, known, " of these runs"))


def _configuration(
    config: Source | Mapping[str, Any] | RunConfig, overrides: Sequence[str], protocol: str | None
) -> RunConfig:
    if isinstance(config, str | os.PathLike):
        return load_config(os.fspath(config), overrides, protocol)
    import tomli_w

    try:
        text = toml_text(config) if isinstance(config, RunConfig) else tomli_w.dumps(dict(config))
    except TypeError as error:
        raise UserError(f"the configuration holds what TOML cannot: {error}") from error
    return parse_config(text, "the configuration", overrides, protocol)


def _folder(run: RunResult | Source) -> Path:
    return run.folder if isinstance(run, RunResult) else Path(run)


def _console(quiet: bool) -> Console:
    """Plain lines, one per finished cell: a notebook's cell keeps what a bar would overwrite."""
    from rich.console import Console

    return Console(quiet=quiet, force_terminal=False, force_jupyter=False)
