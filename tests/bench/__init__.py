"""Benchmarks: each prints ratios measured in one run, by `python -m tests.bench.<name>`; they are no tests."""
