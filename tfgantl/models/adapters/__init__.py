"""Adapters: small layers that make a network compute with other weights than its own, and merge away."""
