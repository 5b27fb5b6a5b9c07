"""Paints pictures with a trained network, in one pass each.

`tfgantl stylize apply NETWORK CONTENT STYLE…`.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, check_at_least, check_within
from tfgantl.pipelines.stylize.arguments import named


@dataclass(frozen=True)
class StyleApplicationConfig:
    """Settings. The first words of the command line are the network and the content, those after them styles.

    Args:
        network: Trained network: a .keras file, or the run directory of a training.
        content: Picture, folder of pictures or frames, or the name of a shipped photograph.
        styles: Names of styles of the network, with weights as in ihc:0.7,brick:0.3; `all` for one picture in each.
        output: Where the result goes: a .png, .jpg or .webp file, or a directory for several pictures, with a
            sub-folder for each of several styles, as data sources take them for classes; NAME_STYLE.png, or the
            directory NAME_STYLE, if not given.
        size: Pixels of the longer side; those of the picture if not given.
        strength: From 0 for the picture itself to 1 for the painting.
        preserve_color: Whether only the brightness is painted.
        smooth: Weight of the frame before where the content has not moved, for frames in a folder.
        json: Print the result as the last line, one JSON object.
    """

    network: str
    content: str
    styles: str = "all"
    output: str | None = None
    size: int | None = None
    strength: float = 1.0
    preserve_color: bool = False
    smooth: float = 0.0
    json: bool = False

    def __post_init__(self):
        check_at_least(self, 16, "size")
        check_at_least(self, 0, "smooth")
        check_within(self, "[0, 1]", "strength")


def apply_styles(config: StyleApplicationConfig) -> dict:
    """Paints all pictures of the content.

    Args:
        config: The settings.

    Returns:
        What `--json` prints: `output, pictures, images_per_second`.

    Raises:
        TfgantlError: If the network, a picture, a style or the output cannot be used.
    """
    import numpy as np
    import tensorflow as tf

    from tfgantl.images import to_uint8, to_unit
    from tfgantl.models.stylizer import SMALLEST, paint
    from tfgantl.pipelines.stylize.preparation import check_output
    from tfgantl.pipelines.stylize.trained import load_stylizer
    from tfgantl.progress import bar, log
    from tfgantl.style.color import with_colors_of
    from tfgantl.style.objective import held
    from tfgantl.style.pictures import find_contents, read_picture, resized, save_picture, shape_at

    network = load_stylizer(config.network)
    paths = find_contents(config.content)
    mixes = mixes_of(config.styles, network.styles)
    several = len(paths) * len(mixes) > 1 or Path(config.content).is_dir()
    stem = f"{Path(config.content).stem}_{config.styles.replace(',', '+').replace(':', '')}"
    output = Path(config.output or (stem if several else f"{stem}.png"))
    if config.output:
        check_output(config.output, several)
    if several:
        output.mkdir(exist_ok=True)

    @tf.function(jit_compile=False, reduce_retracing=True)
    def painted(image, mix):
        return paint(network, tf.ensure_shape(image, (None, None, 3)), mix, config.strength)

    progress = bar(len(paths) * len(mixes), "painting", "picture")
    seconds = []
    for name, mix in mixes.items():
        before, folder = None, output / name if len(mixes) > 1 else output
        if several:
            folder.mkdir(exist_ok=True)
        for path in paths:
            picture = read_picture(path, "content")
            image = to_unit(resized(picture, shape_at(picture, config.size)) if config.size else picture)
            if min(shape := image.shape[:2]) < SMALLEST:
                raise ConfigError(f"`size` must give at least {SMALLEST} pixels a side. Received: {shape} for {path}")
            start = time.perf_counter()
            result = painted(tf.constant(image), tf.constant(mix)).numpy()
            seconds.append(time.perf_counter() - start)
            if config.preserve_color:
                result = with_colors_of(result, image)
            if config.smooth and before is not None and before[0].shape == result.shape:
                result = held(result, image, before, config.smooth)
            before = result, image
            save_picture(folder / f"{path.stem}.png" if several else output, np.asarray(to_uint8(result)))
            progress.update()
    progress.close()
    pace = (len(seconds) - 1) / sum(seconds[1:]) if len(seconds) > 1 else 1 / seconds[0]
    log(f"painted: {output}")
    return {"output": str(output), "pictures": len(seconds), "images_per_second": round(pace, 2)}


def mixes_of(styles: str, known: list[str]) -> dict:
    """Name → share of each style of a network, float32 (styles,).

    Raises:
        ConfigError: If a style is not known, or no weight is above 0.
    """
    import numpy as np

    from tfgantl.style.pictures import split_shares

    rows = np.eye(len(known), dtype=np.float32)
    if styles == "all":
        return dict(zip(known, rows, strict=True))
    names, shares = split_shares(styles)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ConfigError(f"`styles` must be all, or some of {', '.join(known)}. Received: {', '.join(unknown)}")
    return {"+".join(names): sum(share * rows[known.index(n)] for n, share in zip(names, shares, strict=True))}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "network", "content")
    return run_cli(StyleApplicationConfig, "stylize apply", apply_styles, {}, arguments)
