"""Benchmarks: slow, honest measurements."""
