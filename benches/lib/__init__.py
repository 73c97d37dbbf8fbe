"""What the benchmarks share: servers, load, floors, and the table of ratios."""
