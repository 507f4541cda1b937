"""The figures that practicum claims, measured: `python -m benchmarks` (or `make bench`)."""
