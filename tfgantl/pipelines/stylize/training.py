"""The training of a network of many styles, and what it begins with."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import keras
import numpy as np

from tfgantl.crossmodal.caption_bank import CaptionBank
from tfgantl.errors import ConfigError
from tfgantl.models.copies import layers_hash, weights_hash
from tfgantl.models.style_discriminator import StyleDiscriminator
from tfgantl.models.stylizer import Stylizer
from tfgantl.pipelines.stylize.captions import captions_of_styles
from tfgantl.pipelines.stylize.materials import Materials, read_materials
from tfgantl.pipelines.stylize.trained import load_discriminator, load_stylizer
from tfgantl.progress import bar
from tfgantl.style.adversary import Adversary
from tfgantl.style.crops import crops
from tfgantl.style.feedforward import StylizerTraining, for_new_styles
from tfgantl.style.painting import PaintingLoss
from tfgantl.style.state import load_state, save_state
from tfgantl.style.style_captions import StyleCaptions
from tfgantl.training.interruption import Interruption
from tfgantl.training.precision import dtype_policy
from tfgantl.training.run_directory import RunDirectory
from tfgantl.training.team import current

if TYPE_CHECKING:
    from tfgantl.pipelines.stylize.train import StyleTrainingConfig


RECORD_EVERY = 20  # steps


@dataclass(frozen=True)
class PreparedStyles:
    """Everything that a training needs, checked.

    Args:
        materials: Pictures.
        network: What is to be trained.
        dtype: Keras dtype policy of it.
        base: Trained network whose kernels are kept, or `None`.
        base_discriminator: Discriminator that was trained with it, or `None`.
        loss: Of painted images.
        unseen: Crops float32 (n, size, size, 3) of pictures that are held out.
        captions: Of the styles, or `None` to learn no phrases.
        bank: Captions that pictures can be described by.
        notes: Remarks on captions.
    """

    materials: Materials
    network: Stylizer
    dtype: str
    base: Stylizer | None
    base_discriminator: StyleDiscriminator | None
    loss: PaintingLoss
    unseen: np.ndarray
    captions: StyleCaptions | None
    bank: CaptionBank | None
    notes: tuple[str, ...]

    def opening(self) -> str:
        """What the run is about to train on, for its log."""
        discriminator = ", discriminator of the base" if self.base_discriminator else ""
        return f"pictures: {len(self.materials.training)}, styles: {len(self.materials.names)}{discriminator}"

    def facts(self) -> dict[str, str]:
        """What the results depend on, beside settings and packages: hashes of pictures, captions and weights."""
        used = {"vgg16": self.loss.network, "base": self.base, "discriminator of the base": self.base_discriminator}
        known = {name: network for name, network in used.items() if network is not None}
        weights = {name: weights_hash(network) for name, network in known.items()}
        layers = {f"layers of the {name}": layers_hash(network) for name, network in known.items() if name != "vgg16"}
        captions = {"captions": self.captions.fingerprint} if self.captions else {}
        styles = {"styles of the base": ", ".join(self.base.styles)} if self.base else {}
        return {**self.materials.facts, **captions, **weights, **layers, **styles}


@dataclass(frozen=True)
class StyleTraining:
    """What came of the trainings.

    Args:
        networks: `styles`, and `scratch` if there is a baseline → trained network.
        history: The same → records of its losses.
        seconds_per_step: The same → seconds.
        discriminators: The same → discriminator; `None` without one.
    """

    networks: dict[str, Stylizer]
    history: dict[str, list[dict]]
    seconds_per_step: dict[str, float]
    discriminators: dict[str, StyleDiscriminator | None]


def prepare(config: "StyleTrainingConfig") -> PreparedStyles:
    """Loads and checks what a `StyleTrainingConfig` asks for.

    Raises:
        TfgantlError: If pictures, weights or the base cannot be used.
    """
    materials = read_materials(config.content, config.styles, config.size)
    captions, bank, notes = None, None, tuple[str, ...]()
    if config.captions is not None:
        captions, bank, notes = captions_of_styles(
            config.captions, materials.names, materials.styles, materials.files, config.on_bad_captions
        )
    keras.utils.set_random_seed(config.seed)
    dtype, base, base_discriminator = dtype_policy(config.precision), None, None
    if config.base:
        base = load_stylizer(config.base)
        base_discriminator = load_discriminator(config.base, base) if config.adversarial else None
        twice = sorted(set(materials.names) & set(base.styles))
        if twice:
            raise ConfigError(f"`styles` must be new to the base. Received: {', '.join(twice)}")
        network = for_new_styles(base, materials.names, dtype)
    else:
        network = Stylizer(len(materials.names), config.width, config.blocks, materials.names, dtype)
    examples = next(iter(crops(materials.training, config.size, 16, 1, config.seed + 1))).numpy()
    unseen = next(iter(crops(materials.held_out, config.size, 16, 1, config.seed + 2))).numpy()
    loss = PaintingLoss(materials.styles, examples, config.weights, config.style_weight, config.tv_weight, dtype)
    return PreparedStyles(materials, network, dtype, base, base_discriminator, loss, unseen, captions, bank, notes)


def train(config: "StyleTrainingConfig", prepared: PreparedStyles, run: RunDirectory) -> StyleTraining:
    """Trains the network, and the baseline if one is asked for.

    Args:
        config: The `StyleTrainingConfig`.
        prepared: What to train with.
        run: Where logs and checkpoints go.
    """
    training = StyleTraining({}, {}, {}, {})

    def add(title: str, network: Stylizer, base_discriminator: StyleDiscriminator | None, rows_only: bool) -> None:
        training.networks[title] = network
        training.history[title], training.seconds_per_step[title], training.discriminators[title] = train_network(
            config, prepared, run, network, base_discriminator, rows_only, title
        )

    base = prepared.base
    add("styles", prepared.network, prepared.base_discriminator, base is not None)
    if config.baseline and base is not None:
        keras.utils.set_random_seed(config.seed)
        names = prepared.materials.names
        add("scratch", Stylizer(len(names), base.width, base.blocks, names, prepared.dtype), None, False)
    return training


def train_network(
    config: "StyleTrainingConfig",
    prepared: PreparedStyles,
    run: RunDirectory,
    network: Stylizer,
    base_discriminator: StyleDiscriminator | None,
    rows_only: bool,
    title: str,
) -> tuple[list[dict], float, StyleDiscriminator | None]:
    """Trains a network from the last checkpoint on.

    Args:
        config: The `StyleTrainingConfig`.
        prepared: What to train with.
        run: Where checkpoints and the log go.
        network: What is trained.
        base_discriminator: Discriminator to begin with, with other heads; a new one if `None`.
        rows_only: Whether kernels stay what they are.
        title: Of the training, in the log.

    Returns:
        Its losses (records with `step`), seconds a step, and the discriminator of a GAN.

    Raises:
        InterruptedRun: If a signal asks to stop; everything is saved then.
    """
    adversary, form = None, (network.num_styles, network.hidden_dtype)
    if config.adversarial:
        discriminator = (
            base_discriminator.for_new_styles(*form)
            if base_discriminator
            else StyleDiscriminator(form[0], dtype=form[1])
        )
        adversary = Adversary(discriminator, config.adversarial, config.learning_rate / 3, config.steps)
    training = StylizerTraining(network, prepared.loss, config.steps, config.learning_rate, rows_only, adversary)
    state = load_state(run, title)
    if state is not None:
        training.set_state(state, int(state["step"]))
    history = run.keep_records(title, training.step)
    progress = bar(config.steps, title)
    progress.update(training.step)

    def on_step(terms: dict[str, float], one_asks: bool) -> bool:
        progress.update()
        step = training.step
        if step in (1, config.steps) or step % RECORD_EVERY == 0:
            record = {"step": step, **{name: round(value, 5) for name, value in terms.items()}}
            progress.set_postfix({name: f"{value:.3g}" for name, value in terms.items()}, refresh=False)
            history.append(record)
            run.log({"run": title, **record})
        stopping = one_asks or (interruption.asked is not None and current().replicas == 1)  # or all stop a step later
        if step % config.save_every == 0 or step == config.steps or stopping:
            save_state(run, training.state(), title, step=step)
        return stopping

    with Interruption() as interruption:
        try:
            seconds_per_step = training.run(
                prepared.materials.training,
                prepared.materials.styles,
                config.size,
                config.batch_size,
                config.seed,
                on_step,
                lambda: interruption.asked is not None,
            )
        finally:
            progress.close()
        if training.step < config.steps or current().lead(lambda: interruption.asked):
            interruption.stop(training.step, run.path)
    return history, round(seconds_per_step, 4), None if adversary is None else adversary.discriminator
