"""Recognition methods by family: what moves from the source to the target."""
