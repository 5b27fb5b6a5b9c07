"""Text and images: captions, encoders of both, and what connects them."""
