"""What comes from outside is not executed, what is secret is not written, nothing is sent."""

import ast
import contextlib
import os
import pickle
import shutil
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from benchmark import download as downloading
from benchmark.backbones import open_backbone
from benchmark.bundle.pack import pack
from benchmark.config import RunConfig, toml_text
from benchmark.errors import UserError
from benchmark.store import Run
from tests.bad_inputs.damage import planted_pickle
from tests.benchmark.conftest import SMALL

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("benchmark", "methods", "reports", "textboost")
TOKEN = "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"

PICKLES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"}
CODE = {"eval", "exec", "compile", "__import__"}
SHELLS = {("os", "system"), ("os", "popen"), ("subprocess", "getoutput"), ("pty", "spawn")}


def dangers(source: str) -> Iterator[str]:
    """What a source file does that could execute what it reads; a line each."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names]
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                if name.split(".")[0] in PICKLES | {"yaml"}:
                    yield f"line {node.lineno}: imports {name}"
        if isinstance(node, ast.Constant) and node.value == "trust_remote_code":
            yield f"line {node.lineno}: trust_remote_code"
        if not isinstance(node, ast.Call):
            continue
        given = {word.arg: word.value for word in node.keywords}
        if "trust_remote_code" in given:
            yield f"line {node.lineno}: trust_remote_code"
        if "shell" in given or "allow_pickle" in given:
            yield f"line {node.lineno}: a shell or pickles allowed"
        if isinstance(node.func, ast.Name) and node.func.id in CODE:
            yield f"line {node.lineno}: {node.func.id}"
        if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            called = (node.func.value.id, node.func.attr)
            if (
                called in SHELLS
                or called == ("pandas", "read_pickle")
                or called[1] == "read_pickle"
            ):
                yield f"line {node.lineno}: {'.'.join(called)}"
            only = given.get("weights_only")
            if called == ("torch", "load") and not (
                isinstance(only, ast.Constant) and only.value is True
            ):
                yield f"line {node.lineno}: torch.load without weights_only=True"


@pytest.mark.parametrize("package", PACKAGES)
def test_no_source_executes_what_it_reads(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    found = {str(file): list(dangers(file.read_text(encoding="utf-8"))) for file in files}
    assert {file: lines for file, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "from joblib import load",
        "import yaml",
        "eval(text)",
        "exec(text)",
        "torch.load(file)",
        "torch.load(file, weights_only=False)",
        "torch.load(file, weights_only=asked)",
        "numpy.load(file, allow_pickle=True)",
        "subprocess.run(text, shell=True)",
        "os.system(text)",
        "pd.read_pickle(file)",
        "Model.from_pretrained(name, trust_remote_code=True)",
        'Model.from_pretrained(name, **{"trust_remote_code": True})',
    ],
)
def test_the_search_finds(line: str) -> None:
    assert list(dangers(line))


def test_the_planted_pickle_would_leave_its_trace(tmp_path: Path) -> None:
    """Else nothing below proved anything."""
    pickle.loads(planted_pickle(tmp_path / "executed"))  # noqa: S301
    assert (tmp_path / "executed").exists()


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder"])
@pytest.mark.parametrize("ending", [".bin", ".ckpt", ".pt"])
def test_a_backbone_of_pickles_is_refused(
    tiny_backbone: Path, tmp_path: Path, part: str, ending: str
) -> None:
    folder = Path(shutil.copytree(tiny_backbone, tmp_path / "backbone"))
    (weights,) = (folder / part).glob("*.safetensors")
    weights.unlink()
    for stem in (weights.stem, "pytorch_model", "diffusion_pytorch_model"):
        (folder / part / f"{stem}{ending}").write_bytes(planted_pickle(tmp_path / "executed"))
    with pytest.raises(UserError, match=r"pickled weights, \.bin or \.ckpt, are never read"):
        open_backbone(str(folder))
    assert not (tmp_path / "executed").exists()


def tbbench(folder: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "benchmark.cli", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": f"{ROOT}", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


PLUGINS = {
    "leaking": """
import os, sys
from methods.dreambooth import DreamBooth

class Leaking(DreamBooth):
    name = "leaking"

    def train(self, pipe, task, settings):
        print("token", os.environ["HF_TOKEN"])
        print("more", os.environ["HF_TOKEN"], file=sys.stderr)
        raise ValueError(f"401 for https://user:{os.environ['HF_TOKEN']}@huggingface.co/x")
""",
    "unasked": """
import os
from pathlib import Path
Path(os.environ["UNASKED_TRACE"]).touch()
from methods.dreambooth import DreamBooth

class Unasked(DreamBooth):
    name = "unasked"
""",
}
# Every process of ours imports this before anything else: what goes anywhere but to this machine
# leaves a trace and is refused.
NO_NETWORK = """
import os, socket
def refuse(self, address, *more):
    if self.family != socket.AF_UNIX:
        with open(os.environ["NETWORK_TRACE"], "a") as trace:
            trace.write(f"{address}\\n")
        raise OSError("the network is unreachable")
    return connect(self, address, *more)
connect = socket.socket.connect
socket.socket.connect = socket.socket.connect_ex = refuse
def resolve(host, *more, **words):
    with open(os.environ["NETWORK_TRACE"], "a") as trace:
        trace.write(f"{host}\\n")
    raise OSError("no name can be resolved")
socket.getaddrinfo = resolve
"""


def install(folder: Path) -> None:
    """Two plug-ins, as a package index would install them, and no way to the network."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NO_NETWORK)
    for name, source in PLUGINS.items():
        (folder / f"{name}_plugin.py").write_text(source)
        about = folder / f"{name}_plugin-1.0.dist-info"
        about.mkdir()
        (about / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}-plugin\nVersion: 1.0\n"
        )
        (about / "entry_points.txt").write_text(
            f"[tbbench.methods]\n{name} = {name}_plugin:{name.capitalize()}\n"
        )


@pytest.mark.long
@pytest.mark.slow
def test_a_whole_run_executes_sends_and_tells_nothing(tiny_backbone: Path, tmp_path: Path) -> None:
    """Pickles lie wherever weights could be looked for, a token is set, a plug-in prints it and
    fails with it, another is installed and not named, and the network is watched."""
    backbone = Path(shutil.copytree(tiny_backbone, tmp_path / "backbone"))
    inversion = {"name": "textual-inversion", "preset": "toy"}
    changes = {
        "backbone": str(backbone),
        "methods": [{"name": "base"}, inversion, {"name": "leaking"}],
        "prompts": ["in-the-jungle"],
        "training": {"steps": 1},
        "scoring": {"metrics": ["fidelity"], "image_encoders": ["efficientnet-lite0"]},
    }
    config = RunConfig.model_validate(SMALL | changes)
    planted = planted_pickle(tmp_path / "executed")
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler", "."):
        for name in ("pytorch_model.bin", "diffusion_pytorch_model.bin", "model.pt", "x.ckpt"):
            (backbone / part / name).write_bytes(planted)
    install(tmp_path / "site")
    (tmp_path / "mine.toml").write_text(toml_text(config))
    variables = {
        "PYTHONPATH": f"{tmp_path / 'site'}{os.pathsep}{ROOT}",
        "TBBENCH_CACHE": str(tmp_path / "cache"),
        "HF_TOKEN": TOKEN,
        "NETWORK_TRACE": str(tmp_path / "network"),
        "UNASKED_TRACE": str(tmp_path / "unasked"),
    }
    first = tbbench(tmp_path, "run", "mine.toml", **variables)
    assert first.returncode == 1, first.stderr
    assert "1 of 3 cells failed" in first.stderr
    path = tmp_path / "runs" / "small"
    run = Run.open(path)
    status = {cell["method"]: cell["status"] for cell in run.cell_info()}
    assert status == {"base": "done", "textual-inversion": "done", "leaking": "failed"}
    # A second attempt finds pickles beside everything that the first one made.
    for folder in [*path.rglob("*")]:
        if folder.is_dir():
            for name in ("adapter_model.bin", "pytorch_model.bin", "optimizer.pt", "scores.pkl"):
                (folder / name).write_bytes(planted)
    for cell in run.planned:
        run.folder(cell.key).path.joinpath("scores.parquet").write_bytes(planted)
    again = tbbench(tmp_path, "run", "mine.toml", **variables)
    assert again.returncode == 1, again.stderr
    pack(Run.open(path), tmp_path / "evidence.zip", [])

    assert not (tmp_path / "executed").exists(), "a planted pickle was executed"
    assert not (tmp_path / "unasked").exists(), "a plug-in that nobody named was imported"
    assert not (tmp_path / "network").exists(), (tmp_path / "network").read_text()
    reach = "import socket; socket.create_connection(('example.org', 443))"
    environment = {**os.environ, **variables}
    subprocess.run([sys.executable, "-c", reach], env=environment, capture_output=True, check=False)
    assert (tmp_path / "network").exists(), "the network was not watched"
    said = [text.encode() for one in (first, again) for text in (one.stdout, one.stderr)]
    files = {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
    assert any(b"401 for https://" in content for content in files.values())
    with zipfile.ZipFile(tmp_path / "evidence.zip") as archive:
        packed = [archive.read(name) for name in archive.namelist()]
    assert [file for file, content in files.items() if TOKEN.encode() in content] == []
    assert [text for text in (*said, *packed) if TOKEN.encode() in text] == []


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org/a.zip",
        "ftp://example.org/a.zip",
        "file:///etc/passwd",
        "HTTP://example.org/a.zip",
        "//example.org/a.zip",
        "data:text/plain,x",
        "",
    ],
)
def test_only_https_is_downloaded(url: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is no https address"):
        downloading.download(url, tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url", ["http://example.org/x.git", "git://example.org/x", "ext::sh -c id"]
)
def test_git_is_asked_over_https_alone(url: str, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is no https address"):
        downloading.check_out(url, "main", "x", tmp_path / "clone")


def test_a_redirection_to_another_scheme_is_not_followed() -> None:
    with pytest.raises(OSError, match="is no https address"):
        downloading._OnlyHttps().redirect_request(None, None, 302, "", {}, "http://example.org/x")


@pytest.mark.parametrize("told", [True, False])
def test_a_download_has_a_largest_size(told: bool, tmp_path: Path) -> None:
    """Whether the server tells how much it sends, or sends and sends."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            if told:
                self.send_header("Content-Length", str(10**12))
            self.end_headers()
            with contextlib.suppress(OSError):
                for _ in range(0 if told else 100):
                    self.wfile.write(bytes(2**18))

        def log_message(self, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/x"
        with pytest.raises(OSError, match="has more than the 1048576 bytes"):
            downloading.download(url, tmp_path / "x", largest=2**20)
        server.shutdown()
    assert list(tmp_path.iterdir()) == []
