"""Style transfer: the look of some pictures, and the content of others."""
