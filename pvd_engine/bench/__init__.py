"""Benchmarks: slow, honest measurements that print tables and save JSON."""
