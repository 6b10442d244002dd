"""Faults on purpose, in real runs: nothing may be lost, falsified or done again for nothing."""
