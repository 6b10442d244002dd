"""Claims about methods, judged: a claims file and results -> verdicts, each with its evidence.

The claims files of this folder carry the figures that papers printed, with their sources.
"""
