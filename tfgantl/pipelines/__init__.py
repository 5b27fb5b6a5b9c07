"""One module a verb; each parses its options before it imports TensorFlow."""
