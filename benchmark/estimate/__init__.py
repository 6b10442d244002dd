"""Parameters, bytes, FLOPs and peak memory of a training, without a GPU, weights or a download."""
