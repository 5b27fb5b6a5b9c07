"""Benchmarks, each a part of docs/benchmarks.md."""
