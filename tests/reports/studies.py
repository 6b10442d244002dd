"""Tidy results and costs written down by hand, one picture per method and subject."""

import pandas as pd

HOSTILE = {
    "markup": "<script>alert('x')</script>",
    "quotes": "\"double\" 'single' `back`",
    "turned": "\u202egnp.\u2066exe\u2069",
    "hebrew": "שלום dog",
    "latex": r"\input{x} $a_1^2$ 50% & #3 {~} [x] *",
    "formula": "=cmd('calc')",
    "plus": "+1+cmd",
    "at": "@SUM(A1)",
    "table": "a|b||c",
    "lines": "two\nlines\tand a tab",
    "long": "x" * 10_000,
    "accents": "Zoë Čapek 10 µm — ok…",
}


def scores(by_method, metric="fidelity", reference="unseen", encoder="toy-clip", **columns):
    """{method: values, one per subject s0, s1, ...} -> rows of results."""
    return pd.DataFrame(
        [
            {
                "method": method,
                "preset": "toy",
                "backbone": "toy",
                "dataset": "toyworld",
                "split": "n1",
                "subject": f"s{number}",
                "train_seed": 0,
                "prompt_id": "p",
                "prompt": "a dog",
                "seed": 0,
                "image": "p-0.png",
                "protocol": "dpm++/25/7.5",
                "metric": metric,
                "encoder": encoder,
                "reference": reference,
                "value": value,
            }
            | columns
            for method, values in by_method.items()
            for number, value in enumerate(values)
            if value is not None
        ]
    )


def alignment(by_method, **columns):
    return scores(by_method, metric="alignment", reference=None, **columns)


def costs(rows):
    """[(method, subject, stage, measure, value, kind)] -> rows of costs."""
    names = ("method", "subject", "stage", "measure", "value", "kind")
    frame = pd.DataFrame([dict(zip(names, row, strict=True)) for row in rows])
    about = {"preset": "toy", "backbone": "toy", "dataset": "toyworld", "split": "n1"}
    return frame.assign(train_seed=0, unit="", **about)
