"""How fast an adversarial step is, beside PyTorch and the classic TensorFlow step, in turns in one run."""
