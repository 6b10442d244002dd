"""Manifests for `tbbench score` of which no row, or not every row, can be scored."""

from __future__ import annotations

HEAD = b"image,subject,prompt,seed,method\n"
ROW = b"good.png,spotted_dog,in-the-jungle,0,mine\n"

REFUSED: dict[str, bytes] = {
    "empty": b"",
    "a header alone, wrong": b"a,b,c\n",
    "no image": b"subject,prompt,seed\nspotted_dog,red,0\n",
    "no seed": b"image,subject,prompt\ngood.png,spotted_dog,red\n",
    "misspelled": b"image,subjekt,prompt,seed\n",
    "semicolons": HEAD.replace(b",", b";") + ROW.replace(b",", b";"),
    "tabs": HEAD.replace(b",", b"\t"),
    "UTF-16": (HEAD + ROW).decode().encode("utf-16"),
    "Latin-1": HEAD + ROW.replace(b"mine", "ä".encode("latin-1")),
    "zero bytes": b"\0" * 100,
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "a quote that never ends": HEAD + b'"good.png,spotted_dog\n' * 3,
    "a field of a megabyte": HEAD + b"a" * 1_000_000 + b",x,y,0,m\n",
    "JSON": b'[{"image": "good.png"}]',
}
"""Name -> the bytes of a CSV file that is refused as a whole."""

PROBLEMS: dict[str, bytes] = {
    "row too short": b"good.png,spotted_dog\n",
    "row too long": ROW.rstrip() + b",more,fields\n",
    "only commas": b",,,,\n",
    "no subject": b"good.png,,in-the-jungle,0,mine\n",
    "unknown subject": ROW.replace(b"spotted_dog", b"nobody"),
    "subject is a path": ROW.replace(b"spotted_dog", b"../../etc"),
    "subject is absolute": ROW.replace(b"spotted_dog", b"/etc/passwd"),
    "subject with controls": ROW.replace(b"spotted_dog", b"\x1b[31mdog"),
    "subject turned round": ROW.replace(b"spotted_dog", "dog\u202egpj".encode()),
    "subject of 100000 letters": ROW.replace(b"spotted_dog", b"d" * 100_000),
    "unknown prompt": ROW.replace(b"in-the-jungle", b"nowhere"),
    "prompt is a path": ROW.replace(b"in-the-jungle", b"../../x"),
    "prompt of other kind": b"good.png,rain_boot,wearing-a-red-hat,0,mine\n",
    "seed is negative": ROW.replace(b",0,", b",-1,"),
    "seed is a fraction": ROW.replace(b",0,", b",1.5,"),
    "seed is a word": ROW.replace(b",0,", b",zero,"),
    "seed is empty": ROW.replace(b",0,", b",,"),
    "seed is NaN": ROW.replace(b",0,", b",nan,"),
    "seed is huge": ROW.replace(b",0,", b"," + b"9" * 400 + b","),
    "seed of other digits": ROW.replace(b",0,", ",٣,".encode()),
    "method is empty": ROW.replace(b"mine", b" "),
    "method with controls": ROW.replace(b"mine", b"m\x07ne"),
    "method of 100000 letters": ROW.replace(b"mine", b"m" * 100_000),
    "picture is missing": ROW.replace(b"good.png", b"missing.png"),
    "picture is a folder": ROW.replace(b"good.png", b"."),
    "picture is a device": ROW.replace(b"good.png", b"/dev/null"),
    "picture is a text": ROW.replace(b"good.png", b"manifest.csv"),
    "picture is empty": ROW.replace(b"good.png", b"empty.png"),
    "picture is cut": ROW.replace(b"good.png", b"cut.png"),
    "picture is a pickle": ROW.replace(b"good.png", b"pickle.png"),
    "picture of 5000 letters": ROW.replace(b"good.png", b"p" * 5000),
    "picture is empty text": b",spotted_dog,in-the-jungle,0,mine\n",
    "the same twice": ROW + ROW,
    "two pictures of one place": ROW + ROW.replace(b"good.png", b"other.png"),
}
"""Name -> rows, each of which is listed as a problem and not scored."""
