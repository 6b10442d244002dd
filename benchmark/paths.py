"""Where the project's own data and the user's downloads lie."""

import os
from pathlib import Path

import platformdirs


def data_root() -> Path:
    """Folder that holds dreambench/, toyworld/ and prompts/.

    Inside an installed wheel it is `benchmark/datasets`, in a clone `datasets` beside `benchmark`.
    """
    package = Path(__file__).resolve().parent
    shipped = package / "datasets"
    return shipped if shipped.is_dir() else package.parent / "datasets"


def cache_root() -> Path:
    """Folder for downloads: $TBBENCH_CACHE, or the platform's cache folder for `tbbench`."""
    override = os.environ.get("TBBENCH_CACHE")
    return Path(override) if override else platformdirs.user_cache_path("tbbench")
