"""A method, a metric and a backbone for textboost-bench."""
