"""Trains one network for many styles, or new styles for a network that is trained.

`tfgantl stylize train CONTENT STYLE…`.
"""

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.errors import ConfigError, DataError, check_above, check_at_least, check_seed
from tfgantl.pipelines.styles.arguments import named
from tfgantl.training.optimization import Precision
from tfgantl.training.run_directory import RunDirectory, check_name

PHOTOGRAPHS = ("astronaut", "camera", "chelsea", "china", "flower", "motorcycle_left", "rocket")
STYLES = "ihc,hubble_deep_field,brick,coffee"
HELD_OUT = 5  # of so many pictures, one is not trained on


@dataclass(frozen=True)
class StyleTrainingConfig:
    """Settings of a training.

    Args:
        content: Folder of pictures to learn painting on; photographs of scikit-image if not given.
        styles: Pictures or names of shipped photographs, separated by commas.
        base: Trained network (.keras) whose kernels are kept: only rows for the new styles are trained, and added.
        baseline: Whether a network for the new styles alone is trained from scratch with the same budget, for
            comparison with a `base`.
        size: Height and width of training crops in pixels.
        steps: Training steps.
        batch_size: Crops a step.
        style_weight: Of the style loss; that of the content loss is 1.
        tv_weight: Of total variation.
        learning_rate: At the beginning.
        width: Channels of the network at full size.
        blocks: Residual blocks.
        weights: Those of VGG16: imagenet, a file, or an address.
        seed: Makes the run repeatable.
        precision: auto takes bfloat16 where the processor computes in it.
        name: Name in run and export directories.
        run_dir: New directory for everything that the run writes; runs/NAME/NUMBER if not given.
        export_dir: Where SavedModels land, as numbered versions; exported/NAME if not given.
        save_every: Steps between checkpoints.
        resume: Directory of an interrupted run to go on with; it keeps its own settings.
        allow_changes: Go on also if its data or the versions of packages have changed.
        json: Print the result as the last line, one JSON object.
    """

    content: str | None = None
    styles: str = STYLES
    base: str | None = None
    baseline: bool = False
    size: int = 128
    steps: int = 2500
    batch_size: int = 4
    style_weight: float = 5.0
    tv_weight: float = 0.1
    learning_rate: float = 3e-3
    width: int = 16
    blocks: int = 5
    weights: str = "imagenet"
    seed: int = 0
    precision: Precision = "auto"
    name: str = "styles"
    run_dir: str | None = None
    export_dir: str | None = None
    save_every: int = 500
    resume: str | None = None
    allow_changes: bool = False
    json: bool = False

    def __post_init__(self):
        check_at_least(self, 1, "steps", "batch_size", "width", "blocks", "save_every")
        check_at_least(self, 0, "tv_weight")
        check_above(self, 0, "style_weight", "learning_rate")
        check_seed("seed", self.seed)
        check_name(self.name)
        if self.size < 32 or self.size % 4:
            raise ConfigError(f"`size` must be a multiple of 4, at least 32. Received: {self.size}")
        if self.baseline and self.base is None:
            raise ConfigError("`baseline` must be given with `base`, to compare with it. Received: no base")


def train_styles(config: StyleTrainingConfig, text: str) -> dict:
    """Trains, measures on pictures that training did not see, shows and publishes.

    Args:
        config: The settings.
        text: The same as YAML, for the run directory.

    Returns:
        What `--json` prints.

    Raises:
        TfgantlError: If pictures, weights, the base or directories cannot be used, or training diverges.
    """
    import keras

    from tfgantl.export.publish import check_export_dir, publish
    from tfgantl.export.style_signatures import style_signatures
    from tfgantl.models.copies import weights_hash
    from tfgantl.models.stylizer import Stylizer
    from tfgantl.pipelines.preparation import say
    from tfgantl.report import Report
    from tfgantl.style.crops import crops
    from tfgantl.style.feedforward import float32_stylizer, for_new_styles, measured, with_styles_of
    from tfgantl.style.painting import PaintingLoss
    from tfgantl.style.pictures import find_contents, find_picture, read_picture, split_shares
    from tfgantl.style.sheets import loss_curves, style_sheet
    from tfgantl.training.optimization import dtype_policy

    start = time.perf_counter()
    export_to = Path(config.export_dir or Path("exported") / config.name)
    check_export_dir(export_to)
    paths = find_contents(config.content) if config.content else [find_picture(n, "content") for n in PHOTOGRAPHS]
    if len(paths) < 2:
        raise DataError(f"`content` must hold at least 2 pictures, one of which is held out. Received: {len(paths)}")
    pictures = [read_picture(path, "content") for path in paths]
    handles = split_shares(config.styles)[0]
    styles = [read_picture(handle, "styles") for handle in handles]
    names = [Path(handle).stem for handle in handles]
    held_out, training = pictures[::HELD_OUT], [p for i, p in enumerate(pictures) if i % HELD_OUT]

    keras.utils.set_random_seed(config.seed)
    dtype, base = dtype_policy(config.precision), None
    if config.base:
        base = load_stylizer(config.base)
        twice = sorted(set(names) & set(base.styles))
        if twice:
            raise ConfigError(f"`styles` must be new to the base. Received: {', '.join(twice)}")
        network = for_new_styles(base, names, dtype)
    else:
        network = Stylizer(len(styles), config.width, config.blocks, names, dtype)
    examples = next(iter(crops(training, config.size, 16, 1, config.seed + 1))).numpy()
    unseen = next(iter(crops(held_out, config.size, 16, 1, config.seed + 2))).numpy()
    loss = PaintingLoss(styles, examples, config.weights, config.style_weight, config.tv_weight, dtype)

    with RunDirectory.open(config, config.name) as run:
        facts = {
            f"picture {path.name}": _hash(path) for path in [*paths, *(find_picture(h, "styles") for h in handles)]
        }
        facts |= {"vgg16": weights_hash(loss.network), **({"base": weights_hash(base)} if base else {})}
        run.begin(text, facts, config.allow_changes)
        print(
            f"{config.name}: {len(training)} pictures, {len(styles)} styles, run directory {run.path}", file=sys.stderr
        )
        trained, history, pace = {}, {}, {}
        rows_only = base is not None
        trained["styles"], history["styles"], pace["styles"] = train_one(
            config, run, network, loss, training, rows_only, "styles"
        )
        if config.baseline:
            keras.utils.set_random_seed(config.seed)
            fresh = Stylizer(len(styles), base.width, base.blocks, names, dtype)
            trained["scratch"], history["scratch"], pace["scratch"] = train_one(
                config, run, fresh, loss, training, False, "scratch"
            )
        found = {title: measured(loss, float32_stylizer(entry), unseen) for title, entry in trained.items()}
        final = float32_stylizer(network) if base is None else with_styles_of(base, network)
        with run.replacing("stylizer.keras") as temporary:
            final.save(temporary)
        sheet = style_sheet(final, held_out[:3], styles if base is None else None)
        run.write("sheet.png", sheet)
        version = publish(final, export_to, style_signatures, {"target": ", ".join(final.styles)}, before_after=sheet)
        result = {
            "run_dir": str(run.path), "export_dir": str(version), "styles": final.styles, "steps": config.steps,
            "losses": found, "seconds": round(time.perf_counter() - start, 1), "seconds_per_step": pace,
            "trained_parameters": sum(int(w.value.shape.num_elements()) for w in network.trainable_weights),
        }  # fmt: skip
        run.log({"run": "result", "name": config.name, **result})
        table = [("training", "style", "content loss", "style loss")] + [
            (title, name, f"{content:.3f}", f"{style:.3f}")
            for title, entry in found.items()
            for name, content, style in zip(names, entry["content"], entry["style"], strict=True)
        ]
        run.write("report.html", Report(
            title=f"{config.name}: {', '.join(final.styles)}",
            summary=[f"{config.steps} steps of {config.batch_size}, {result['seconds']:.0f} s."],
            pictures={"Pictures that were held out, in all styles": sheet, "Losses": loss_curves(history)},
            tables={"On pictures that were held out; 1: nothing is left of the content, or of the style": table},
            config=text,
        ).html())  # fmt: skip
        say(f"report: {run.path / 'report.html'}", f"SavedModel: {version}")
    return result


def train_one(config, run, network, loss, pictures, rows_only: bool, title: str):
    """Trains from the last checkpoint on.

    Returns:
        The network, its losses (records with `step`), and seconds a step.

    Raises:
        InterruptedRun: If a signal asks to stop; everything is saved then.
    """
    from tfgantl.progress import bar
    from tfgantl.style.feedforward import StylizerTraining
    from tfgantl.style.state import load_state, save_state
    from tfgantl.training.interruption import Interruption

    training = StylizerTraining(network, loss, config.steps, config.learning_rate, rows_only)
    state, history = load_state(run, title), []
    if state is not None:
        training.set_state(state, int(state["step"]))
    progress = bar(config.steps, title)
    progress.update(training.step)

    def on_step(terms):
        progress.update()
        step = training.step
        if step in (1, config.steps) or step % 20 == 0:
            record = {"step": step, **{name: round(value, 5) for name, value in terms.items()}}
            progress.set_postfix({name: f"{value:.3g}" for name, value in terms.items()}, refresh=False)
            history.append(record)
            run.log({"run": title, **record})
        if step % config.save_every == 0 or step == config.steps or interruption.asked:
            save_state(run, training.state(), title, step=step)
        return interruption.asked is not None

    with Interruption() as interruption:
        try:
            pace = training.run(pictures, config.size, config.batch_size, config.seed, on_step)
        finally:
            progress.close()
        if interruption.asked:
            interruption.stop(training.step, run.path)
    return network, history, round(pace, 4)


def load_stylizer(handle: str):
    """A trained network from a `.keras` file or a run directory.

    Raises:
        ArtifactError: If it is missing, damaged, or no network that paints.
    """
    from tfgantl.errors import ArtifactError
    from tfgantl.models.stylizer import Stylizer
    from tfgantl.untrusted.networks import load_network

    path = Path(handle)
    network = load_network(path / "stylizer.keras" if path.is_dir() else path)
    if not isinstance(network, Stylizer):
        raise ArtifactError(f"{handle}: must hold a network that paints. Received: {type(network).__name__}")
    return network


def _hash(path):
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()[:12]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "content")
    return run_cli(StyleTrainingConfig, "stylize train", train_styles, {}, arguments)
