"""The gate: has a change made the code slower or larger, beyond what chance can do?"""
