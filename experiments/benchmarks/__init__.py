"""Benchmarks, each compared as ratios within one run."""
