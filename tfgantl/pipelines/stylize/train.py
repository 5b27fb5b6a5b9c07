"""Trains one network for many styles, or new styles for a network that is trained.

`tfgantl stylize train CONTENT STYLE…`.
"""

import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tfgantl.cli import run as run_cli
from tfgantl.configuration import to_yaml
from tfgantl.errors import ConfigError, check_above, check_at_least, check_seed
from tfgantl.files import check_name
from tfgantl.pipelines.stylize.arguments import named
from tfgantl.pipelines.stylize.trained import DISCRIMINATOR, STYLIZER, load_discriminator, load_stylizer
from tfgantl.training.optimization import Precision
from tfgantl.training.run_directory import RunDirectory

STYLES = "ihc,hubble_deep_field,brick,coffee"


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
        adversarial: Weight of the loss of a GAN, whose discriminator learns what the styles look like; 0 for none.
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
    adversarial: float = 0.0
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
        check_at_least(self, 0, "tv_weight", "style_weight", "adversarial")
        check_above(self, 0, "learning_rate")
        check_seed("seed", self.seed)
        check_name(self.name)
        if self.size < 32 or self.size % 4:
            raise ConfigError(f"`size` must be a multiple of 4, at least 32. Received: {self.size}")
        if not self.style_weight and not self.adversarial:
            raise ConfigError("`style_weight` or `adversarial` must be above 0. Received: 0 for both")
        if self.baseline and self.base is None:
            raise ConfigError("`baseline` must be given with `base`, to compare with it. Received: no base")


def train_styles(config: StyleTrainingConfig) -> dict:
    """Trains, measures on pictures that training did not see, shows and publishes.

    Args:
        config: The settings.

    Returns:
        What `--json` prints.

    Raises:
        TfgantlError: If pictures, weights, the base or directories cannot be used, or training diverges.
    """
    import keras

    from tfgantl.export.publish import check_export_dir, publish
    from tfgantl.export.style_signatures import style_signatures
    from tfgantl.models.copies import float32_copy, weights_hash
    from tfgantl.models.stylizer import Stylizer
    from tfgantl.pipelines.stylize.materials import read_materials
    from tfgantl.progress import log
    from tfgantl.report import Report
    from tfgantl.style.crops import crops
    from tfgantl.style.feedforward import for_new_styles, measured, with_styles_of
    from tfgantl.style.painting import PaintingLoss
    from tfgantl.style.sheets import loss_curves, style_sheet
    from tfgantl.training.optimization import dtype_policy

    start = time.perf_counter()
    export_to = Path(config.export_dir or Path("exported") / config.name)
    check_export_dir(export_to)
    materials = read_materials(config.content, config.styles, config.size)
    names, held_out = materials.names, materials.held_out

    keras.utils.set_random_seed(config.seed)
    dtype, base, teacher = dtype_policy(config.precision), None, None
    if config.base:
        base, teacher = load_stylizer(config.base), load_discriminator(config.base) if config.adversarial else None
        twice = sorted(set(names) & set(base.styles))
        if twice:
            raise ConfigError(f"`styles` must be new to the base. Received: {', '.join(twice)}")
        network = for_new_styles(base, names, dtype)
    else:
        network = Stylizer(len(names), config.width, config.blocks, names, dtype)
    examples = next(iter(crops(materials.training, config.size, 16, 1, config.seed + 1))).numpy()
    unseen = next(iter(crops(held_out, config.size, 16, 1, config.seed + 2))).numpy()
    loss = PaintingLoss(materials.styles, examples, config.weights, config.style_weight, config.tv_weight, dtype)

    with RunDirectory.open(config, config.name) as run:
        used = {"vgg16": loss.network, "base": base, "discriminator of the base": teacher}
        facts = {name: weights_hash(network) for name, network in used.items() if network is not None}
        run.begin(to_yaml(config), {**materials.facts, **facts}, config.allow_changes)
        print(
            f"{config.name}: {len(materials.training)} pictures, {len(names)} styles"
            f"{', discriminator of the base' if teacher else ''}, run directory {run.path}",
            file=sys.stderr,
        )
        lessons = partial(train_one, config, run, loss, materials)
        trained, history, pace = {"styles": network}, {}, {}
        history["styles"], pace["styles"] = lessons(network, teacher, base is not None, "styles")
        if config.baseline:
            keras.utils.set_random_seed(config.seed)
            trained["scratch"] = Stylizer(len(names), base.width, base.blocks, names, dtype)
            history["scratch"], pace["scratch"] = lessons(trained["scratch"], None, False, "scratch")
        found = {title: measured(loss, float32_copy(entry), unseen) for title, entry in trained.items()}
        final = float32_copy(network) if base is None else with_styles_of(base, network)
        with run.replacing(STYLIZER) as temporary:
            final.save(temporary)
        sheet = style_sheet(final, held_out[:3], materials.styles if base is None else None)
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
            config=to_yaml(config),
        ).html())  # fmt: skip
        log(f"report: {run.path / 'report.html'}", f"SavedModel: {version}")
    return result


def train_one(config, run, loss, materials, network, teacher, rows_only: bool, title: str):
    """Trains a network from the last checkpoint on.

    Args:
        config: The settings.
        run: Where checkpoints, the log and the discriminator of a GAN go.
        loss: Of painted images.
        materials: Pictures.
        network: What is trained.
        teacher: Discriminator to begin with, with other heads; a new one if `None`.
        rows_only: Whether kernels stay what they are.
        title: Of the training, in the log.

    Returns:
        Its losses (records with `step`), and seconds a step.

    Raises:
        InterruptedRun: If a signal asks to stop; everything is saved then.
    """
    from tfgantl.models.copies import float32_copy
    from tfgantl.models.style_discriminator import StyleDiscriminator
    from tfgantl.progress import bar
    from tfgantl.style.adversary import Adversary
    from tfgantl.style.feedforward import StylizerTraining
    from tfgantl.style.state import load_state, save_state
    from tfgantl.training.interruption import Interruption

    adversary, form = None, (network.num_styles, network.hidden_dtype)
    if config.adversarial:
        discriminator = teacher.for_new_styles(*form) if teacher else StyleDiscriminator(form[0], dtype=form[1])
        adversary = Adversary(discriminator, config.adversarial, config.learning_rate / 3, config.steps)
    training = StylizerTraining(network, loss, config.steps, config.learning_rate, rows_only, adversary)
    state = load_state(run, title)
    if state is not None:
        training.set_state(state, int(state["step"]))
    history = run.keep_records(title, training.step)
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
            pace = training.run(
                materials.training, materials.styles, config.size, config.batch_size, config.seed, on_step
            )
        finally:
            progress.close()
        if interruption.asked:
            interruption.stop(training.step, run.path)
    if adversary is not None and title == "styles":
        with run.replacing(DISCRIMINATOR) as temporary:
            float32_copy(discriminator).save(temporary)
    return history, round(pace, 4)


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    arguments = named(sys.argv[1:] if arguments is None else arguments, "content")
    return run_cli(StyleTrainingConfig, "stylize train", train_styles, {}, arguments)
