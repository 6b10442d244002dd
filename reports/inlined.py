"""Styles and scripts that a page carries inside itself, and how its policy allows just these."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources


def asset(package: str, name: str) -> str:
    """Text of a file in the folder `assets` of a package: `reports.page`, `page.css`."""
    return (resources.files(package) / "assets" / name).read_text("utf-8")


def policy_hash(text: str) -> str:
    """What a Content-Security-Policy calls an inline style or script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
