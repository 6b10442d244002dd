"""What `tbbench verify` was given: claims files, runs and bundles, told apart by what they are."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from benchmark.atomic import write_json
from benchmark.bundle.check import ONLY_DIGEST, check_bundle
from benchmark.claims.file import ClaimsFile, load_claims, shipped_names
from benchmark.claims.study import Study, study_of
from benchmark.claims.verdict import Verdict
from benchmark.collect import collect
from benchmark.environment_words import cautions
from benchmark.errors import UserError
from benchmark.store import Run

VERDICTS = "verdicts.json"


@dataclass(frozen=True)
class Targets:
    """Everything named on the command line, opened."""

    claims: tuple[str, ...]
    """Names or paths of claims files."""
    studies: tuple[Study, ...]
    folders: dict[str, Path]
    """Name of a study -> the run's folder; none for bundles."""
    bundled: tuple[ClaimsFile, ...]
    """The claims files of the bundles that are not among those that come with the project."""
    differences: tuple[str, ...]
    """What is not right with the bundles, a line each."""
    notes: tuple[str, ...]
    """What was found to be right with them, and what must be known of where a run's or a bundle's
    numbers come from; a line each."""

    def files(self) -> list[ClaimsFile]:
        """The claims files named; without any, all shipped ones and the bundles' own."""
        if self.claims:
            return [load_claims(name) for name in self.claims]
        return [*(load_claims(name) for name in shipped_names()), *self.bundled]

    def keep(self, verdicts: Sequence[Verdict]) -> None:
        """Writes verdicts.json into each run: its own verdicts, and those that need no run.

        Each record's `stamp` is the run's when it was judged, see `benchmark.collect.stamp`.
        """
        stamps = {study.name: study.stamp for study in self.studies}
        for name, folder in self.folders.items():
            stamp = {"stamp": stamps[name]}
            mine = [v.to_json() | stamp for v in verdicts if v.run in (name, None)]
            write_json(folder / VERDICTS, mine)


def open_targets(names: Sequence[str], digest: str | None = None) -> Targets:
    """UserError when one is neither a claims file, nor a run, nor a bundle."""
    claims: list[str] = []
    studies: list[Study] = []
    folders: dict[str, Path] = {}
    bundled: list[ClaimsFile] = []
    differences: list[str] = []
    notes: list[str] = []
    archives: dict[int, Path] = {}
    bundles = [name for name in names if Path(name).is_file() and zipfile.is_zipfile(name)]
    if digest is not None and len(bundles) != 1:
        raise UserError("--digest is of one bundle; name that bundle alone with it")
    for name in names:
        path = Path(name)
        if name in bundles:
            checked = check_bundle(path, digest)
            differences += [f"{name}: {line}" for line in checked.differences]
            archives[len(studies)] = path
            studies.append(checked.study)
            bundled += [file for file in checked.claims if file.name not in shipped_names()]
            if not checked.differences:
                notes.append(f"{name}: {_note(digest)}")
        elif name in shipped_names() or path.suffix == ".toml":
            claims.append(name)
        elif path.is_dir() and (path / "config.toml").exists():
            run = Run.open(path)
            collect(run)
            study = study_of(run, _short(name, names))
            studies.append(study)
            folders[study.name] = path
        else:
            raise UserError(
                f"{name} is neither a claims file ({', '.join(shipped_names())}, or a .toml), nor "
                "a run's folder (it holds no run), nor a bundle"
            )
    studies = _apart(studies, archives)
    _distinct([study.name for study in studies])
    notes += [line for study in studies for line in cautions(study.name, study.environment)]
    return Targets(
        claims=tuple(claims),
        studies=tuple(studies),
        folders=folders,
        bundled=tuple(bundled),
        differences=tuple(differences),
        notes=tuple(notes),
    )


def _note(digest: str | None) -> str:
    found = "checksums agree; tables, statistics and verdicts computed again are as stated"
    if digest is not None:
        return f"{found}; the digest agrees"
    return f"{found}; without --digest nothing vouches for {', '.join(ONLY_DIGEST)}"


def _short(name: str, names: Sequence[str]) -> str:
    """The folder's own name; the path as given where another has the same."""
    own = Path(name).resolve().name
    return name if sum(Path(other).resolve().name == own for other in names) > 1 else own


def _apart(studies: Sequence[Study], archives: Mapping[int, Path]) -> list[Study]:
    """Bundles of runs of one name take their file's name, its whole path where that is taken too.

    archives: index in `studies` -> the bundle's file.
    """
    names = [study.name for study in studies]
    files = [archives[n].name if n in archives else name for n, name in enumerate(names)]
    made = []
    for number, study in enumerate(studies):
        if number in archives and names.count(study.name) > 1:
            file = archives[number]
            name = file.name if files.count(file.name) == 1 else str(file)
            study = replace(study, name=name)
        made.append(study)
    return made


def _distinct(names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"{name} is named twice; name each run once")
