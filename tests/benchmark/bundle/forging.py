"""Changes to the files of a bundle, and checksums that are made anew to fit them."""

import hashlib
import io
import json

import pandas as pd


def signed(files: dict[str, bytes]) -> dict[str, bytes]:
    """Checksums made anew to fit: bundle.json's, and those that the cells keep."""
    files = dict(files)
    for name in [name for name in files if name.endswith("/cell.json")]:
        record = json.loads(files[name])
        if record["status"] == "done":
            folder = name.removesuffix("cell.json")
            for file in record["outcome"]:
                record["outcome"][file] = hashlib.sha256(files[folder + file]).hexdigest()
            files[name] = json.dumps(record).encode()
    manifest = json.loads(files["bundle.json"])
    manifest["files"] = {
        name: hashlib.sha256(content).hexdigest()
        for name, content in files.items()
        if name != "bundle.json"
    }
    files["bundle.json"] = json.dumps(manifest).encode()
    return files


def one_parquet_value(content: bytes) -> bytes:
    frame = pd.read_parquet(io.BytesIO(content))
    column = "value" if "value" in frame else "attempts"
    frame.loc[3, column] = frame.loc[3, column] + (1e-6 if column == "value" else 1)
    changed = io.BytesIO()
    frame.to_parquet(changed, index=False)
    return changed.getvalue()


def in_json(change):
    def changed(content: bytes) -> bytes:
        value = json.loads(content)
        change(value)
        return json.dumps(value).encode()

    return changed


def put(place, value):
    """Sets one value deep inside a JSON file."""

    def change(content):
        for step in place[:-1]:
            content = content[step]
        assert not isinstance(content, list) or content[place[-1]] != value
        assert not isinstance(content, dict) or content.get(place[-1]) != value
        content[place[-1]] = value

    return in_json(change)


def replaced(before: str, after: str):
    def changed(content: bytes) -> bytes:
        assert before in content.decode()
        return content.decode().replace(before, after, 1).encode()

    return changed
