"""Configurations that cannot be run, written by hand."""

from __future__ import annotations

OVERRIDES = (
    # Syntax of --set.
    *("", "=", "=1", "title", "training.=1", ".steps=1", "training..steps=1", "a b", "training"),
    # Keys that do not exist, or are tables or values where the other is meant.
    *("unknown=1", "training.unknown=1", "training.steps.deeper=1", "title.deeper=1"),
    *("training=1", "generation=[]", "scoring='x'", "execution=true", "prior=1.5"),
    *("training.steps.a.b.c=1", "methods=1", "methods=[]", "methods={}", "methods=[1]"),
    *("methods=[[]]", 'methods=["base"]', "methods=[{}]", "methods=[{name=1}]"),
    'methods=[{name="base", name2="x"}]',
    *('methods=[{name="base", settings=1}]', 'methods=[{name="base", settings=[]}]'),
    *('methods=[{name="base", preset=3}]', 'methods=[{name="base", preset="papr"}]'),
    'methods=[{name="base"}, {name="base"}]',
    *("methods.unknown.steps=1", "methods.base=1", "methods.base.a.b=1", "methods..x=1"),
    'methods=[{name="textboost", settings={unknown=1}}]',
    'methods=[{name="textboost", settings={steps="x"}}]',
    'methods=[{name="textboost", settings={steps=-1}}]',
    'methods=[{name="textboost", settings={learning_rate=nan}}]',
    'methods=[{name="textboost", settings={learning_rate=inf}}]',
    'methods=[{name="textboost", settings={learning_rate=[1]}}]',
    'methods=[{name="textboost", settings={learning_rate={a=1}}}]',
    'methods=[{name="textboost", settings={batch_size=0}}]',
    'methods=[{name="textboost", settings={batch_size=true}}]',
    'methods=[{name="textboost", settings={batch_size=1979-05-27}}]',
    # Numbers.
    *("training.steps=0", "training.steps=-5", "training.steps=1.5", "training.steps='10'"),
    *("training.steps=nan", "training.steps=inf", "training.steps=true", "training.steps=[1]"),
    *("training.steps=1e3", "training.steps=", "training.resolution=0", "training.resolution=-8"),
    *("training.accumulation=0", "generation.batch_size=0", "scoring.batch_size=-1"),
    *("generation.steps=0", "generation.steps=2.5", "generation.guidance_scale=-1"),
    *("generation.guidance_scale=nan", "generation.guidance_scale=inf"),
    *("generation.guidance_scale='7'", "prior.steps=0", "prior.guidance_scale=-inf"),
    *("execution.workers=0", "execution.workers=1.5", "execution.threads=0"),
    "execution.threads=-1",
    # Seeds.
    *("generation.seeds=[]", "generation.seeds=1", "generation.seeds=[-1]"),
    *("generation.seeds=[1.5]", "generation.seeds=[0, 0]", "generation.seeds=['0']"),
    *("generation.seeds=[true]", "generation.seeds=[[0]]", "train_seeds=[]", "train_seeds=[-1]"),
    *("train_seeds=[0, 0]", "train_seeds='all'", "train_seeds=[nan]"),
    # Names.
    *("name=''", "name='../outside'", "name='/abs'", "name='a/b'", "name='..'", "name='.'"),
    *("name='a b'", r'name="a\u0000b"', r'name="a\nb"', "name='ünïcode'", "name='-x'", "name=1"),
    r'name="a\u202Etxt.exe"',
    *("title=1", "title=[]", "backbone=1", "backbone='toi'", "backbone=''", "backbone='../..'"),
    *("backbone='/nonexistent/folder'", r'backbone="toy\u0000"', "backbone='a/b/c/d'"),
    *("dataset='dreambnch'", "dataset=''", "dataset='../toyworld'", "dataset=['toyworld']"),
    *("split='n2'", "split=''", "split='../n1'", "split=1"),
    *("subjects='none'", "subjects=[]", "subjects=['nobody']", "subjects=['../../etc']"),
    *("subjects=['/etc/passwd']", r'subjects=["spotted_dog\u0000"]', "subjects=['']"),
    *("subjects=['spotted_dog', 'spotted_dog']", "subjects=[1]", "subjects=['spotted_dog+']"),
    *("subjects=['+']", "subjects=['spotted_dog+spotted_dog']", "subjects=['SPOTTED_DOG']"),
    *("subjects=[['spotted_dog']]", "subjects={a=1}", "subjects='spotted_dog'"),
    *("prompts=[]", "prompts=['../x']", "prompts=['nowhere']", "prompts=['']", "prompts=3"),
    *("prompts=['wearing-a-red-hat', 'wearing-a-red-hat']", r'prompts=["a\nb"]'),
    # Choices.
    *("training.precision='fp8'", "training.precision=16", "training.attention='flash9'"),
    *("training.optimizer='sgd'", "training.gradient_checkpointing='yes'"),
    *("training.gradient_checkpointing=1", "generation.sampler='euler9'", "prior.sampler=''"),
    *("execution.device='gpu'", "execution.device='cuda:x'", "execution.device='cuda:-1'"),
    *("execution.device=''", "execution.device=0", r'execution.device="cpu\n"'),
    *("protocol='none'", "protocol=''", "protocol=1", "protocol=['toy']"),
    *("scoring.metrics=['nothing']", "scoring.metrics='vendi'", "scoring.metrics=['']"),
    *("scoring.metrics=['vendi', 'vendi']", "scoring.metrics=['../vendi']"),
    *("scoring.metrics=['os.system']", "scoring.image_encoders=['resnet']"),
    *("scoring.image_encoders=[1]", "scoring.text_encoders=['efficientnet-lite0']"),
    "scoring.text_encoders=['']",
)
"""`--set` arguments over the ready run `quickstart`, each of which no run can have."""

_WHOLE = 'name = "x"\ntitle = "X"\n[[methods]]\nname = "base"\n'

TEXTS: dict[str, bytes] = {
    "empty": b"",
    "only a comment": b"# nothing",
    "a word": b"quickstart",
    "JSON": b'{"name": "x"}',
    "YAML": b"name: x\nmethods:\n  - base\n",
    "YAML that asks to be executed": b'!!python/object/apply:os.system ["touch executed"]\n',
    "TOML with that inside": (
        b'name = "x"\ntitle = "!!python/object/apply:os.system"\nmethods = "!!python/name:os"\n'
    ),
    "zero bytes": b"\0\0\0\0",
    "zero byte inside": _WHOLE.replace("X", "X\0").encode(),
    "UTF-16": _WHOLE.encode("utf-16"),
    "Latin-1": _WHOLE.replace("X", "ä").encode("latin-1"),
    "byte order mark": b"\xef\xbb\xbf" + _WHOLE.encode(),
    "a picture": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR",
    "a zip": b"PK\x03\x04" + bytes(30),
    "key twice": b'name = "x"\nname = "y"\n',
    "table twice": _WHOLE.encode() + b"[training]\nsteps = 1\n[training]\nsteps = 2\n",
    "open text": b'name = "x\n',
    "open list": b"train_seeds = [1, 2\n",
    "open table": b"[training\n",
    "bare value": b"name = x\n",
    "no value": b"name =\n",
    "no name": b'title = "X"\n[[methods]]\nname = "base"\n',
    "no title": b'name = "x"\n[[methods]]\nname = "base"\n',
    "no methods": b'name = "x"\ntitle = "X"\n',
    "methods is one table": b'name = "x"\ntitle = "X"\n[methods]\nname = "base"\n',
    "a method without a name": b'name = "x"\ntitle = "X"\n[[methods]]\npreset = "toy"\n',
    "deep lists": b"name = " + b"[" * 3000 + b"]" * 3000,
    "deep tables": b"a" + b".a" * 5000 + b" = 1\n",
    "deep inline tables": b"name = " + b"{a = " * 2000 + b"1" + b"}" * 2000,
    "a number of 5000 digits": b"name = " + b"9" * 5000,
    "number beyond 64 bits": _WHOLE.encode() + b"[training]\nsteps = 99999999999999999999999\n",
    "seed beyond 64 bits": b"train_seeds = [99999999999999999999999]\n" + _WHOLE.encode(),
    "generation seed beyond 64 bits": (
        _WHOLE.encode() + b"[generation]\nseeds = [99999999999999999999999]\n"
    ),
    "a very long name": b'name = "'
    + b"a" * 100_000
    + b'"\ntitle = "X"\n[[methods]]\nname = "base"\n',
    "a name of 300 letters": _WHOLE.replace('"x"', '"' + "a" * 300 + '"').encode(),
    "a method of 100000 letters": _WHOLE.replace("base", "b" * 100_000).encode(),
    "a key of 100000 letters": b"k" * 100_000 + b" = 1\n" + _WHOLE.encode(),
    "a key with line breaks": b'"a\\nb\\u001b[31m" = 1\n' + _WHOLE.encode(),
    "a method with control characters": _WHOLE.replace("base", "\\u001b[31mbase").encode(),
    "a method that is a path": _WHOLE.replace("base", "../../methods/base").encode(),
    "a method that is a module": _WHOLE.replace("base", "os").encode(),
    "a method that is a dunder": _WHOLE.replace("base", "__init__").encode(),
    "a preset that is a dunder": _WHOLE.encode() + b'preset = "__class__"\n',
    "a setting that is a dunder": _WHOLE.encode() + b"settings = {__class__ = 1}\n",
    "a date for a title": _WHOLE.replace('"X"', "1979-05-27").encode(),
    "dotted over a value": b'name = "x"\nname.deeper = 1\n',
}
"""Name -> the bytes of a TOML file that is no run."""
