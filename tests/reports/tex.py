"""A LaTeX engine, and what it made of a file."""

import os
import shutil
import subprocess
import unicodedata

import pytest


def compiled(folder, name="preview.tex"):
    """The text of the PDF's pages as pdftotext reads it; empty where that is not installed.

    Skips without pdflatex, but fails where continuous integration should have it.
    """
    engine = shutil.which("pdflatex")
    if engine is None and os.environ.get("CI") != "true":
        pytest.skip("pdflatex is not installed (Debian: texlive-latex-base)")
    assert engine, "continuous integration installs pdflatex"
    done = subprocess.run(
        [engine, "-interaction=nonstopmode", "-halt-on-error", "-no-shell-escape", name],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
    reader = shutil.which("pdftotext")
    if reader is None:
        return ""
    pdf = (folder / name).with_suffix(".pdf")
    read = subprocess.run([reader, "-raw", pdf, "-"], capture_output=True, check=True)
    return unicodedata.normalize("NFC", " ".join(read.stdout.decode().split()))
