"""Claims files: what is refused, and that those of the project are whole."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from benchmark.claims.file import load_claims, parse_claims, shipped_names
from benchmark.claims.judge import judge_all
from benchmark.claims.language import FUNCTIONS, OPTIONS
from benchmark.claims.measures import MEASURES, Measure
from benchmark.claims.metric_names import FIELD_NAMES
from benchmark.errors import UserError

CLAIM = """
[[claim]]
id = "mine"
sentence = "It is quick."
source = "this test"
expression = "seconds(textboost) < 3 s"
"""


def test_a_claim_is_understood():
    (claim,) = parse_claims(CLAIM + 'backbone = "sd15"\nnote = "n"', "mine.toml").claims
    assert (claim.id, claim.sentence, claim.source, claim.note) == (
        *("mine", "It is quick.", "this test", "n"),
    )
    assert claim.parsed.bound.high == 3
    assert claim.on == "sd15"


def without(key):
    return re.sub(rf"^{key} = .*$", "", CLAIM, flags=re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[claim]", "not valid TOML"),
        ("", "it holds no claim"),
        ("claim = 3", "it holds no claim"),
        ("claim = []", "it holds no claim"),
        ("claim = [3]", "claim number 1: expected a table"),
        (CLAIM + "[other]\nx = 1", "unknown key 'other'"),
        (without("id"), "claim number 1: missing key 'id'"),
        (without("source"), "claim 'mine': missing key 'source'"),
        (without("expression"), "claim 'mine': expected either expression or unjudged"),
        (CLAIM + 'unjudged = "x"', "claim 'mine': expected either expression or unjudged"),
        (CLAIM + 'expresion = "x"', "claim 'mine': unknown key 'expresion'; did you mean 'expr"),
        (CLAIM + "note = 3", "claim 'mine': note: expected text in quotes, got 3"),
        (CLAIM + 'note = ""', "claim 'mine': note: expected one line of text"),
        (CLAIM + 'note = "a\\nb"', "claim 'mine': note: expected one line of text"),
        (CLAIM + 'protocol = "strickt"', "claim 'mine': protocol: unknown protocol 'strickt'"),
        (CLAIM + 'backbone = "sd16"', "claim 'mine': backbone: unknown backbone 'sd16'"),
        (CLAIM + 'dataset = "dreambnch"', "claim 'mine': dataset: unknown dataset 'dreambnch'"),
        (CLAIM.replace("mine", "../mine"), "claim '../mine': id: expected letters"),
        (CLAIM.replace("3 s", "3 MB"), "claim 'mine': 'MB' is no unit of seconds"),
        (CLAIM + CLAIM, "claim 'mine' is there twice"),
        (
            CLAIM.replace("textboost)", "textboost, sd15)") + 'backbone = "sd14"',
            "claim 'mine': backbone is 'sd14', but the expression names 'sd15'",
        ),
    ],
)
def test_a_mistake_is_one_line_that_names_file_and_claim(text, says):
    with pytest.raises(UserError) as error:
        parse_claims(text, "mine.toml")
    line = str(error.value)
    assert says in line
    assert line.startswith("mine.toml")
    assert "\n" not in line


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path):
    with pytest.raises(UserError, match="unknown claims file 'textboost-v3'; did you mean 'text"):
        load_claims("textboost-v3")
    with pytest.raises(UserError, match="cannot be read: No such file"):
        load_claims(str(tmp_path / "none.toml"))
    (tmp_path / "odd.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="no UTF-8 text"):
        load_claims(str(tmp_path / "odd.toml"))
    (tmp_path / "large.toml").write_bytes(b"#" * 1_000_001)
    with pytest.raises(UserError, match="larger than 1000000 bytes"):
        load_claims(str(tmp_path / "large.toml"))


def test_a_preset_that_a_method_lacks_is_named():
    text = CLAIM + 'preset = "papre"'
    with pytest.raises(UserError, match="claim 'mine': unknown preset 'papre' of method 'textbo"):
        judge_all([parse_claims(text, "mine.toml")], [])


def test_the_projects_files_are_whole():
    assert shipped_names() == ["custom-diffusion", "dreambooth", "textboost-v1", "textboost-v2"]
    for name in shipped_names():
        claims = load_claims(name).claims
        assert len(claims) > 5
        for claim in claims:
            toy = claim.on == "toy"
            assert toy == claim.id.startswith("toy-"), claim.id
            # What is found on the toy backbone must not be taken for a paper's.
            assert toy == claim.source.endswith("says nothing of the paper"), claim.id


def test_every_printed_figure_of_the_second_table_is_a_claim():
    """arXiv 2409.08248v2, table 1: VQAScore, DINOv2, diversity, parameters."""
    printed = {
        "textual-inversion": ("0.475", "0.467", "0.408", "0.00M"),
        "dreambooth": ("0.553", "0.587", "0.164", "865.91M"),
        "dreambooth-lora": ("0.528", "0.589", "0.190", "0.83M"),
        "custom-diffusion": ("0.452", "0.632", "0.136", "25.56M"),
        "textboost": ("0.680", "0.560", "0.307", "0.12M"),
        "textboost-pp": ("0.607", "0.598", "0.229", "0.15M"),
    }
    claims = {claim.id: claim for claim in load_claims("textboost-v2").claims}
    for method, figures in printed.items():
        for kind, figure in zip(("vqascore", "dinov2", "diversity"), figures, strict=False):
            claim = claims[f"{method}-{kind}"]
            assert claim.sentence.endswith(f" {figure}.")
            assert claim.expression.endswith(f"within 5% of {figure}")
            assert (claim.protocol, claim.on, claim.split) == ("textboost-v2", "sd21-base", "n1-v2")
        count = claims[f"{method}-parameters"]
        assert figures[3] in count.sentence
        bound = count.parsed.bound
        middle = float(figures[3][:-1]) * 1e6
        assert bound.holds(middle + 4_999 if middle else 4_999)
        assert not bound.holds(middle + 5_100)


def only(keep):
    """The claims of the project's files that `keep` accepts, with their files."""
    files = [load_claims(name) for name in shipped_names()]
    return [replace(file, claims=tuple(filter(keep, file.claims))) for file in files]


@pytest.mark.long
def test_the_exact_claims_of_the_projects_files_hold(tmp_path, monkeypatch):
    """Counted here and now, without a run: all are supported, and the papers' counts are right."""
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))

    def counted(claim):
        subject = claim.parsed.subject if claim.parsed else None
        return isinstance(subject, Measure) and subject.kind == "exact"

    verdicts = judge_all(only(counted), [])
    exact = {(v.claims, v.id): v.estimate for v in verdicts}
    assert len(exact) > 30
    assert {(v.verdict, v.kind) for v in verdicts} == {("SUPPORTED", "exact")}
    counts = {
        ("textboost-v1", "parameters"): 663_552 + 20 * 768,
        ("textboost-v1", "release-parameters"): 221_184 + 15 * 768,
        ("textboost-v2", "textboost-parameters"): 23 * (4096 + 1024) + 1024,
        ("textboost-v2", "dreambooth-parameters"): 865_910_724,
        ("textboost-v2", "custom-diffusion-parameters"): 25_559_040 + 1024,
        ("dreambooth", "textual-inversion-parameters-sd15"): 768,
    }
    assert {key: exact[key] for key in counts} == counts
    # Bytes: four for every number in fp32, and little more.
    assert 930_816 < exact["textboost-v1", "release-checkpoint"] < 930_816 * 1.05
    ratio = exact["textboost-v1", "checkpoint-against-dreambooth"]
    assert 0.0007 < ratio < 0.0009
    assert {v.label for v in verdicts if v.id.startswith("toy-")} == {"toy"}


@pytest.mark.long
def test_what_is_predicted_is_labelled_so_and_supports_no_measurement(tmp_path, monkeypatch):
    """TextBoost's memory beside DreamBooth's at published settings: 9.84 against 13.94 GiB."""
    monkeypatch.setenv("TBBENCH_CACHE", str(tmp_path))
    ids = ("memory-against-dreambooth", "predicted-memory-against-dreambooth", "flops-per-step")
    files = [f for f in only(lambda claim: claim.id in ids) if f.name == "textboost-v1"]
    verdicts = {verdict.id: verdict for verdict in judge_all(files, [])}
    predicted = verdicts["predicted-memory-against-dreambooth"]
    assert (predicted.verdict, predicted.kind) == ("SUPPORTED", "predicted")
    assert predicted.estimate == pytest.approx(9.84 / 13.94, rel=0.02)
    assert "predicted, not measured: textboost (paper) 8 pictures a step" in predicted.evidence
    assert "without CUDA context" in predicted.evidence
    measured = verdicts["memory-against-dreambooth"]
    assert (measured.verdict, measured.estimate, measured.kind) == ("NOT MEASURED", None, None)
    assert measured.predicted["value"] == predicted.estimate
    assert measured.predicted["kind"] == "predicted"
    flops = verdicts["flops-per-step"]
    assert (flops.verdict, flops.kind) == ("SUPPORTED", "analytic")


def test_the_examples_of_the_page_are_claims():
    docs = Path(__file__).resolve().parents[3] / "docs"
    page = (docs / "reference" / "claims.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert [claim.id for claim in parse_claims(example, "claims.md").claims] == [
        *("storage", "alignment"),
    ]
    for name in (*shipped_names(), *MEASURES, *FIELD_NAMES, *OPTIONS, *FUNCTIONS):
        assert f"`{name}" in page, name
