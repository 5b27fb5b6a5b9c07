"""Paints pictures in one pass each with a trained network."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import tensorflow as tf

from tfgantl.data.depth import Depth
from tfgantl.errors import ConfigError
from tfgantl.files import check_kept, fitted, make_folder
from tfgantl.images import finite_pixels, to_unit
from tfgantl.models.stylizer import SMALLEST, Stylizer, paint
from tfgantl.pipelines.stylize.preparation import check_output
from tfgantl.style.color import with_colors_of
from tfgantl.style.memory_budget import PER_CHANNEL, check_memory
from tfgantl.style.objective import held
from tfgantl.style.pictures import is_phrase, read_picture, resized, save_picture, shape_at
from tfgantl.style.regions import painted_in_regions

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize.apply import StyleApplicationConfig


def places_for(
    config: "StyleApplicationConfig", paths: list[Path], styles: list[str]
) -> tuple[Path, dict[tuple[str, Path], Path]]:
    """Where results go, with all directories made.

    Args:
        config: The `StyleApplicationConfig`.
        paths: Pictures of the content.
        styles: Names of the mixes of styles.

    Returns:
        The picture, or the directory of several; and the place of each (style, picture).

    Raises:
        ConfigError: If the output does not fit the content, or would be written over it.
        RunError: If its directory does not exist.
    """
    several = len(paths) * len(styles) > 1 or Path(config.content).is_dir()
    called = styles[0] if len(styles) == 1 and is_phrase(config.styles) else config.styles
    stem = f"{Path(config.content).stem}_{called.replace(',', '+').replace(':', '')}"
    output = Path(config.output or fitted(stem, "" if several else ".png"))
    if config.output:
        check_output(config.output, several)
    folders = {style: output / style if len(styles) > 1 else output for style in styles}
    places = {(style, path): folders[style] / f"{path.stem}.png" for style in styles for path in paths}
    if not several:
        places = {(styles[0], paths[0]): output}
    check_kept(places.values(), paths)
    if several:
        output.mkdir(exist_ok=True)
        for folder in folders.values():
            make_folder(output, str(folder.relative_to(output)))
    return output, places


class OnePassPainter:
    """Paints picture by picture, smoothed over time if that is asked for.

    Args:
        network: Trained network.
        config: The `StyleApplicationConfig`.
        depth: What is white in pictures of more than 8 bits.

    Attributes:
        seconds: Of each picture, without reading and writing.
    """

    def __init__(self, network: Stylizer, config: "StyleApplicationConfig", depth: Depth | None = None) -> None:
        self.config, self.depth = config, depth
        self.seconds: list[float] = []
        self._before: tuple[np.ndarray, np.ndarray] | None = None

        @tf.function(autograph=False, jit_compile=False, reduce_retracing=True)
        def painted(image: tf.Tensor, mix: tf.Tensor) -> tf.Tensor:
            return paint(network, tf.ensure_shape(image, (None, None, 3)), mix, config.strength)

        self._painted, self._width = painted, network.width

    def begin(self) -> None:
        """Forgets the frame before: another sequence begins."""
        self._before = None

    def paint(self, path: Path, mix: np.ndarray, place: Path) -> None:
        """Paints one picture.

        Args:
            path: The picture.
            mix: Share of each style, float32 (styles,).
            place: Where the result goes.

        Raises:
            ConfigError: If it is too small for the network, or too large for the memory.
        """
        config, picture = self.config, read_picture(path, "content", depth=self.depth)
        image = to_unit(resized(picture, shape_at(picture, config.size)) if config.size else picture)
        if min(shape := image.shape[:2]) < SMALLEST:
            raise ConfigError(f"`size` must give at least {SMALLEST} pixels a side. Received: {shape} for {path}")
        check_memory(shape, PER_CHANNEL * self._width)
        start = time.perf_counter()

        def in_mix(mix: np.ndarray) -> np.ndarray:
            return self._painted(tf.constant(image), tf.constant(mix)).numpy()

        result = painted_in_regions(in_mix, image, mix) if config.blend == "regions" else in_mix(mix)
        self.seconds.append(time.perf_counter() - start)
        if config.preserve_color:
            result = with_colors_of(result, image)
        before = self._before
        if config.smooth and before is not None and before[0].shape == result.shape:
            result = held(result, image, before, config.smooth)
        self._before = result, image
        save_picture(place, finite_pixels(np.asarray(result), "a network of styles"))

    @property
    def images_per_second(self) -> float:
        """Pictures a second, without the first, which waits for the graph, if there are more."""
        seconds = self.seconds
        return round((len(seconds) - 1) / sum(seconds[1:]) if len(seconds) > 1 else 1 / seconds[0], 2)
