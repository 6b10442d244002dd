"""Parameters, bytes, FLOPs and peak memory of a training, without a GPU, weights or a download.

`exact_counts(method, backbone)` counts what is trained and stored. torch is imported when asked.
"""

from benchmark.estimate.counts import Counts, exact_counts

__all__ = ["Counts", "exact_counts"]
