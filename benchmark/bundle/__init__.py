"""Evidence bundles: one archive with all that a run's claims rest on, and what checks one.

bundle.json     SHA-256 of every other file
config.toml environment.json run.json plan.json
predictions.json what was predicted of the trainings, where there were any
cells/KEY/      cell.json scores.parquet cost.json checkpoint.json: the raw rows
results.parquet costs.parquet cells.parquet   the tables, which follow from the raw rows
statistics.json verdicts.json                 which follow from the tables and claims/
claims/NAME.toml
pictures.json   SHA-256 of every picture; thumbnails/KEY/PROMPT-SEED.jpg show them small
"""
