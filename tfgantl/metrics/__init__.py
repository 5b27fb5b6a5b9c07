"""How good generated images are, and whether transfer helped."""
