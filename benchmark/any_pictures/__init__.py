"""Scores for pictures that were made elsewhere, in any of four layouts, as a run of its own.

The reader of a layout (`*_layout.py`) yields records and problems; `match` finds out what the
records are, `find` whether they are whole and all there; `cells` scores them, and `result` makes
them a run directory that is reported like any other.
"""
