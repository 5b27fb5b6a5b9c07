"""Benchmarks of what serves exported models: the graph itself and the development server."""
