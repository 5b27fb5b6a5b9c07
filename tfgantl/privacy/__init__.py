"""What a generator gives away of the pictures that it was trained on: copies, membership inference, and a level."""
