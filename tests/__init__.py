"""A regular package: as a namespace it would give way to `tests` of torch-fidelity, installed."""
