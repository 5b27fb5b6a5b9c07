"""What `stylize` does: optimising one picture, training a network of many styles, applying it."""
