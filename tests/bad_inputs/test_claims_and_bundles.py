"""Claims, blind studies, names for papers, measurements and bundles that are not what they say."""

import io
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmark import ab_answers
from benchmark.bundle.archive import read_zip, zip_bytes
from benchmark.bundle.check import check_bundle
from benchmark.bundle.pack import pack
from benchmark.claims.file import parse_claims
from benchmark.claims.targets import open_targets
from benchmark.perf.stored import read as read_measurements
from reports.naming import load_naming
from tests.bad_inputs.claims import ANSWERS, CLAIMS, EXPRESSIONS, KEY, KEYS, NAMES, claim
from tests.bad_inputs.damage import DAMAGE, WRONG_JSON
from tests.bad_inputs.refusal import refused, refused_by_command, refused_or_fine
from tests.bad_inputs.test_configurations import FIXED
from tests.reports.made_up import cell, make_run


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_an_expression_that_is_none(expression: str) -> None:
    quoted = '"' + expression.replace("\\", "\\\\").replace('"', '\\"') + '"'
    refused(lambda: parse_claims(claim(expression=quoted), "mine.toml"))


@pytest.mark.parametrize("name", CLAIMS)
def test_claims_that_are_none(name: str) -> None:
    refused(lambda: parse_claims(CLAIMS[name], "mine.toml"))


def test_the_command_executes_nothing_of_a_claims_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for text in (CLAIMS["YAML"], claim(expression="\"__import__('os').system('touch executed')\"")):
        Path("mine.toml").write_text(text)
        refused_by_command(["verify", "mine.toml"], monkeypatch)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


WORDS = ["checkpoint_bytes", "ratio", "difference", "(", ")", ",", "<", ">", "<=", "textboost"]
WORDS += ["base", "seconds", "alignment", "@toy-clip", "3", "MB", "1.05", "%", "in", "[", "]", "on"]


@given(parts=st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=10))
@FIXED
def test_any_words_are_a_claim_or_refused(parts: list[str]) -> None:
    import tomli_w

    text = claim(expression="")
    try:
        text += tomli_w.dumps({"expression": " ".join(parts)})
    except UnicodeError:
        return
    refused_or_fine(lambda: parse_claims(text, "mine.toml"))


@pytest.mark.parametrize("name", KEYS)
def test_a_key_that_is_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(KEYS[name])
    refused(lambda: ab_answers.read_key(tmp_path / "key.json"))


@pytest.mark.parametrize("name", ANSWERS)
def test_answers_that_are_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text(KEY)
    key = ab_answers.read_key(tmp_path / "key.json")
    head = b"" if name == "empty" else (",".join(ab_answers.COLUMNS) + "\n").encode()
    (tmp_path / "anna.csv").write_bytes(head + ANSWERS[name])
    refused(lambda: ab_answers.read_answers([tmp_path / "anna.csv"], key))


@pytest.mark.parametrize("name", NAMES)
def test_names_that_are_none(name: str, tmp_path: Path) -> None:
    (tmp_path / "names.toml").write_bytes(NAMES[name])
    refused(lambda: load_naming(tmp_path / "names.toml"))


@pytest.mark.parametrize("name", [*WRONG_JSON, *DAMAGE])
def test_measurements_that_are_none(name: str, tmp_path: Path) -> None:
    content = WRONG_JSON[name].encode() if name in WRONG_JSON else DAMAGE[name](b'{"a": [1]}')
    (tmp_path / "perf.json").write_bytes(content)
    refused(lambda: read_measurements(tmp_path / "perf.json"))


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("runs")
    run = make_run(folder / "made-up", [cell("textboost", "dog_a"), cell("base", "dog_a")])
    pack(run, folder / "evidence.zip", [])
    return (folder / "evidence.zip").read_bytes()


def rewritten(whole: bytes, name: str, content: bytes, mode: int = stat.S_IFREG | 0o644) -> bytes:
    """The bundle with one more entry, of a name and mode that `zip_bytes` would not take."""
    out = io.BytesIO(whole)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        entry.compress_type = zipfile.ZIP_DEFLATED
        archive.writestr(entry, content)
    return out.getvalue()


ENTRIES = {
    "climbs out": ("../outside", b"x"),
    "climbs out of a cell": ("cells/0123456789abcdef/../../../outside", b"x"),
    "absolute": ("/tmp/outside", b"x"),
    "of another system": ("C:\\outside", b"x"),
    "with backslashes": ("cells\\..\\..\\outside", b"x"),
    "zero byte": ("bundle.json\0.exe", b"x"),
    "unknown": ("run.sh", b"rm -rf /"),
    "a pickle": ("cells/0123456789abcdef/checkpoint.bin", b"\x80\x04."),
    "a folder": ("cells/", b""),
    "turned round": ("claims/\u202etxt.toml", b""),
    "of 5000 letters": ("claims/" + "a" * 5000 + ".toml", b""),
}


@pytest.mark.parametrize("name", ENTRIES)
def test_a_bundle_with_an_entry_that_belongs_to_none(
    name: str, whole: bytes, tmp_path: Path
) -> None:
    file = tmp_path / "inner" / "evidence.zip"
    file.parent.mkdir()
    file.write_bytes(rewritten(whole, *ENTRIES[name]))
    refused(lambda: check_bundle(file))
    assert list(tmp_path.rglob("*")) == [file.parent, file]


def test_a_bundle_with_links_bombs_or_two_of_a_name(
    whole: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "evidence.zip"
    claims = "claims/x.toml"
    for content in (
        rewritten(whole, claims, b"/etc/passwd", stat.S_IFLNK | 0o777),
        rewritten(whole, claims, b"", stat.S_IFIFO | 0o644),
        rewritten(rewritten(whole, claims, b""), claims, b""),
    ):
        file.write_bytes(content)
        refused(lambda: read_zip(file))
    monkeypatch.setattr("benchmark.bundle.archive.LARGEST_FILE", 2**20)
    file.write_bytes(rewritten(whole, claims, bytes(2**22)))
    assert file.stat().st_size < 2**20
    assert "larger than any file of a bundle may be" in refused(lambda: read_zip(file))


@pytest.mark.parametrize("how", [*DAMAGE])
def test_a_damaged_bundle(how: str, whole: bytes, tmp_path: Path) -> None:
    file = tmp_path / "evidence.zip"
    file.write_bytes(DAMAGE[how](whole))

    def check() -> None:
        targets = open_targets([str(file)])
        # What can still be read is not what was packed, and that is said.
        assert targets.differences or file.read_bytes() == whole or how == "first byte lost"

    refused_or_fine(check)


@pytest.mark.parametrize("name", ["config.toml", "plan.json", "results.parquet", "verdicts.json"])
@pytest.mark.parametrize("how", ["empty", "half", "flipped in the middle", "a pickle"])
def test_a_bundle_of_a_damaged_file(name: str, how: str, whole: bytes, tmp_path: Path) -> None:
    file = tmp_path / "evidence.zip"
    file.write_bytes(whole)
    files = read_zip(file)
    file.write_bytes(zip_bytes(files | {name: DAMAGE[how](files[name])}))

    def check() -> None:
        assert open_targets([str(file)]).differences

    refused_or_fine(check)
