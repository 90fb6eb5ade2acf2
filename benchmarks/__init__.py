"""Ratios against other servers, from interleaved runs: ``python -m benchmarks``."""
