"""Parameters, bytes, FLOPs and peak memory of a training, without a GPU, weights or a download.

`exact_counts(method, backbone)` counts what is trained and stored; `predict(Question(...))` says
what a step takes. torch is imported when they are called.
"""

from benchmark.estimate.counts import Counts, exact_counts
from benchmark.estimate.prediction import predict
from benchmark.estimate.question import Prediction, Question

__all__ = ["Counts", "Prediction", "Question", "exact_counts", "predict"]
