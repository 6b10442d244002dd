"""Every published figure that the project carries, as a page of the docs.

`python -m benchmark.published_figures` prints it: from the claims files, judged without a run, and
from the methods' published settings. Nothing of it is typed twice.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmark.claims.file import Claim, ClaimsFile, load_claims, shipped_names
from benchmark.claims.judge import judge_all
from benchmark.claims.units import beside
from benchmark.claims.verdict import Verdict
from benchmark.errors import UserError

OWN = ("this project", "feasibility study of this project")
"""How the sources of figures begin that nobody published but this project."""
SETTINGS = ("steps", "batch_size", "learning_rate", "token_learning_rate", "rank", "prior_images")

_HEAD = """# Published figures

Every figure of a paper or of its public code that this project carries, with the id of its claim
(`tbbench verify FILE`), the bound it is held to, and what is known here **without any run**. This
page is written by `python -m benchmark.published_figures`; a test holds it.

- *SUPPORTED, exact*: counted by the method's own code on the true architecture.
- *predicted*, *analytic*: rehearsed without weights; stands beside a claim about a measurement and
  never decides it.
- *not measured*: needs the run that is named. No such run has been made with this project, because
  nothing of it has run on a GPU yet. The toy world never judges a paper's figure.
- *not judged*: nothing here can judge it, for the reason given.

The words are explained in [what a figure is worth](explanation/words.md), the expressions in
[claims and verdicts](reference/claims.md), the settings of each protocol in
[protocols](explanation/protocols.md).
"""


def markdown(files: Sequence[ClaimsFile], verdicts: Sequence[Verdict]) -> str:
    """The page. `verdicts`: of all claims of all `files`, in their order, judged without a run."""
    lines = [_HEAD, *_counts(verdicts)]
    waiting = iter(verdicts)
    for file in files:
        pairs = [(claim, next(waiting)) for claim in file.claims]
        lines += ["", f"## {file.name}"]
        for title, own in (("Published", False), ("Of this project", True)):
            rows = [pair for pair in pairs if pair[0].source.startswith(OWN) is own]
            if rows:
                lines += ["", f"### {title}, {file.name}", "", *_table(rows)]
    return "\n".join([*lines, *_settings()]) + "\n"


def judged_without_runs() -> tuple[list[ClaimsFile], list[Verdict]]:
    """The claims files that come with the project, and what needs no run to be said of them.

    Takes a minute or two the first time; counts and predictions are kept until the code changes.
    """
    files = [load_claims(name) for name in shipped_names()]
    return files, judge_all(files, [])


def _counts(verdicts: Sequence[Verdict]) -> Iterator[str]:
    words = [_word(verdict) for verdict in verdicts]
    told = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    yield f"{len(words)} claims: {told}."


def _table(rows: Sequence[tuple[Claim, Verdict]]) -> Iterator[str]:
    yield _row(["claim", "figure", "source", "bound", "here"])
    yield _row([":---"] * 5)
    for claim, verdict in rows:
        sentence = claim.sentence if claim.note is None else f"{claim.sentence} *{claim.note}*"
        bound = f"`{verdict.bound}`" if verdict.bound else "none"
        yield _row([f"`{claim.id}`", sentence, claim.source, bound, _here(claim, verdict)])


def _word(verdict: Verdict) -> str:
    if verdict.verdict != "NOT MEASURED":
        return f"{verdict.verdict}, {verdict.kind}"
    return "not measured" if verdict.expression else "not judged"


def _here(claim: Claim, verdict: Verdict) -> str:
    """What is known of the claim without a run, in a cell of the table."""
    if verdict.verdict != "NOT MEASURED":
        assert verdict.estimate is not None
        assert verdict.unit is not None
        return f"**{_word(verdict)}**: {beside(verdict.estimate, verdict.unit, verdict.bound)}"
    if claim.parsed is None:
        return f"not judged: {verdict.evidence}"
    predicted = f"; predicted {verdict.predicted['shown']}" if verdict.predicted else ""
    return f"not measured{predicted}; needs {_needed(claim)}"


def _needed(claim: Claim) -> str:
    """The run that would measure the claim."""
    assert claim.parsed is not None
    methods = " and ".join(dict.fromkeys(f"`{arm.method}`" for arm in claim.parsed.arms))
    where = f" on `{claim.on}`" if claim.on else ""
    rest = [
        f"{key} `{value}`"
        for key in ("protocol", "split", "dataset")
        if (value := getattr(claim, key))
    ]
    return ", ".join([f"a run of {methods}{where}", *rest])


def _settings() -> Iterator[str]:
    """The published settings of each method that trains: its preset `paper`."""
    from methods import get_method, own_method_names

    yield "\n## Published settings\n"
    yield "The preset `paper` of each method; the rest, and where each number is from, stands in"
    yield "its file in `methods/`. `tbbench methods` prints the other presets.\n"
    yield _row(["method", "source", *(name.replace("_", " ") for name in SETTINGS)])
    yield _row([":---", ":---", *["---:"] * len(SETTINGS)])
    for name in own_method_names():
        method = get_method(name)
        if method.trains:
            chosen = dataclasses.asdict(method.Settings(**method.presets["paper"]))
            yield _row([f"`{name}`", method.source, *_values(chosen)])


def _values(chosen: Mapping[str, Any]) -> Iterator[str]:
    for name in SETTINGS:
        unused = name == "prior_images" and not chosen.get("prior_preservation", True)
        if unused or name not in chosen:
            yield "-"
        else:  # None: of a token's rate, the rate itself
            yield "the same" if chosen[name] is None else f"{chosen[name]:g}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;") if "`" not in text else text


if __name__ == "__main__":
    try:
        print(markdown(*judged_without_runs()), end="")
    except UserError as error:
        raise SystemExit(str(error)) from None
