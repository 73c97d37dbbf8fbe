"""Rows of the table, by what they measure. Each module has `run(bench, place)` or `run(bench, server)`."""
