"""Pictures that move, as GIF or MP4."""

from pathlib import Path

import numpy as np
from PIL import Image

from tfgantl.errors import ConfigError, not_installed

FORMATS = (".gif", ".mp4")


def write_animation(path: Path, frames: np.ndarray, per_second: int = 15, scale: int = 1) -> None:
    """Writes frames in the format that the suffix of `path` names; a GIF repeats for ever.

    Args:
        path: A .gif or .mp4 file.
        frames: uint8 (n, height, width, 1 or 3).
        per_second: Frames shown in a second.
        scale: How many times each frame is enlarged, without smoothing.

    Raises:
        ConfigError: For another suffix, or .mp4 where what writes it is not installed.
    """
    frames = frames.repeat(scale, axis=1).repeat(scale, axis=2)
    if path.suffix == ".gif":
        images = [Image.fromarray(frame[..., 0] if frame.shape[-1] == 1 else frame) for frame in frames]
        images[0].save(path, save_all=True, append_images=images[1:], duration=round(1000 / per_second), loop=0)
    elif path.suffix == ".mp4":
        _write_mp4(path, frames, per_second)
    else:
        raise ConfigError(f"an animation must be one of {', '.join(FORMATS)}. Received: {path.name}")


def there_and_back(frames: np.ndarray) -> np.ndarray:
    """Frames (n, …) forward, then backward, so that the animation has no jump."""
    return np.concatenate([frames, frames[-2:0:-1]])


def _write_mp4(path: Path, frames: np.ndarray, per_second: int) -> None:
    try:
        import imageio_ffmpeg
    except ImportError as error:
        raise ConfigError(not_installed("`format` mp4", "imageio-ffmpeg", "video", error)) from error
    height, width = (side + side % 2 for side in frames.shape[1:3])  # the codec takes even sides
    padded = np.pad(frames, ((0, 0), (0, height - frames.shape[1]), (0, width - frames.shape[2]), (0, 0)), mode="edge")
    colours = np.broadcast_to(padded, (*padded.shape[:3], 3))
    writer = imageio_ffmpeg.write_frames(str(path), (width, height), fps=per_second, macro_block_size=1)
    writer.send(None)
    for frame in colours:
        writer.send(np.ascontiguousarray(frame))
    writer.close()
