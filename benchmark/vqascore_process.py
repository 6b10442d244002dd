"""What the metric `vqascore` runs in another environment: Python and t2v_metrics alone.

Called by path with two files: a request in JSON (model, device, pairs of picture and text), and
where to write the scores, a JSON list in the request's order.
"""

import json
import sys


def main(request: str, answer: str) -> None:
    """Scores the pairs one by one, so that no score depends on its neighbours."""
    # The folder of this file is in front, and its modules would hide others of the same name.
    sys.path.pop(0)
    import t2v_metrics

    with open(request, encoding="utf-8") as file:
        asked = json.load(file)
    model = t2v_metrics.VQAScore(model=asked["model"], device=asked["device"])
    values = [
        float(model(images=[picture], texts=[text])[0][0]) for picture, text in asked["pairs"]
    ]
    with open(answer, "w", encoding="utf-8") as file:
        json.dump(values, file)


if __name__ == "__main__":
    main(*sys.argv[1:])
