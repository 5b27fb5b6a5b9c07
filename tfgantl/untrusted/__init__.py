"""Files that may come from anywhere: what one would do is read from it before it is done."""
