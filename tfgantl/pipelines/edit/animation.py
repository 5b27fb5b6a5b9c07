"""Moving pictures, for what is moved along directions."""

import io

import numpy as np
from PIL import Image


def encode_gif(frames: np.ndarray, scale: int = 1, milliseconds: int = 80) -> bytes:
    """Encodes an animation that goes on for ever.

    Args:
        frames: uint8 (n, height, width, 1 or 3).
        scale: How many times they are enlarged, without smoothing.
        milliseconds: That each is shown.
    """
    large = frames.repeat(scale, axis=1).repeat(scale, axis=2)
    pictures = [Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in large]
    buffer = io.BytesIO()
    pictures[0].save(
        buffer, format="GIF", save_all=True, append_images=pictures[1:], duration=milliseconds, loop=0
    )  # fmt: skip
    return buffer.getvalue()


def there_and_back(frames: np.ndarray) -> np.ndarray:
    """Frames (n, …) forward, then backward, so that the animation has no jump."""
    return np.concatenate([frames, frames[-2:0:-1]])
