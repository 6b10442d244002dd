"""Rebuilds the toy world's models from nothing: `python -m benchmark.toyworld.train STAGE`."""
