"""Opens what is to be published, whatever kind of model it is, and publishes it or writes it for another runtime."""

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfgantl.errors import ArtifactError, ConfigError
from tfgantl.files import check_name
from tfgantl.pipelines.export.results import FileResult, PublishResult

EXPORTED = Path("exported")
DIRECTIONS = Path("editing") / "directions.npz"  # in a run, as `tfgantl edit find` leaves them

if TYPE_CHECKING:
    import keras

    from tfgantl.pipelines.export import ExportConfig


def open_model(
    config: "ExportConfig", model: str
) -> "tuple[keras.Model, Callable[[keras.Model], dict], dict[str, Any]]":
    """What `model` names: the network, the function that gives its signatures, and what is known of it."""
    from tfgantl.crossmodal.text_to_image import is_text_to_image, load_text_to_image
    from tfgantl.export.describe_signatures import describe_signatures, example_texts, network_of
    from tfgantl.export.image_signatures import classifier_signatures, feature_signatures
    from tfgantl.export.kinds import signatures_for
    from tfgantl.export.text_signatures import imagine_signatures
    from tfgantl.metrics.extractors import Extractor, is_extractor
    from tfgantl.models.presets import directory_of
    from tfgantl.pipelines.describe.opening import are_encoders, open_encoders
    from tfgantl.pipelines.stylize.trained import is_stylizer
    from tfgantl.pretrained import load_model

    if is_text_to_image(model):
        _refuse_options(config, model, "a model that draws what a text says")
        drawer = load_text_to_image(model)
        return drawer, imagine_signatures, {"texts": drawer.phrases}
    if is_stylizer(model):
        _refuse_options(config, model, "a network that paints")
        return _painter(model)
    if are_encoders(model):
        encoders = open_encoders(model)
        facts: dict[str, Any] = {"texts": list(example_texts(encoders))}
        return network_of(encoders), partial(describe_signatures, encoders=encoders), facts
    if not is_extractor(model):
        network = load_model(model, config.networks, config.allow_ops, config.pixels)
        taken = getattr(network, "pixels", None)
        facts = {"pixels": taken} if taken else {}
        if (path := directory_of(model) / DIRECTIONS).is_file():
            return network, *_edited(network, path, facts)
        return network, signatures_for(network, model), facts
    _refuse_options(config, model, "an extractor")
    extractor = Extractor.load(model)
    facts = {"extractor": extractor.id}
    if not extractor.predicts_labels:  # its classes are turns of an image, which nobody asks for
        return extractor.features, feature_signatures, facts
    if extractor.accuracy:
        facts["metrics"] = {f"accuracy on {name}": share for name, share in extractor.accuracy.items()}
    return extractor.classifier, partial(classifier_signatures, features=extractor.features), facts


def _refuse_options(config: "ExportConfig", model: str, what: str) -> None:
    if config.networks is not None or config.allow_ops or config.pixels is not None:
        raise ConfigError(
            f"`networks`, `allow_ops` and `pixels` must not be given for {what}. Received: one, for {model}"
        )


def _painter(model: str) -> "tuple[keras.Model, Callable[[keras.Model], dict], dict[str, Any]]":
    """A network of many styles, with what it knows of phrases, its endpoints, and what is known of it."""
    from tfgantl.export.style_signatures import style_signatures
    from tfgantl.pipelines.stylize.trained import load_phrases, load_stylizer
    from tfgantl.style.by_phrase import PhraseStylizer, example_phrases

    network = load_stylizer(model)
    phrases, facts = load_phrases(model, network), {"target": ", ".join(network.styles)}
    if phrases is None:
        return network, style_signatures, facts
    return PhraseStylizer(network, phrases), style_signatures, {**facts, "texts": example_phrases(phrases)}


def _edited(
    network: "keras.Model", path: Path, facts: dict[str, Any]
) -> "tuple[Callable[[keras.Model], dict], dict[str, Any]]":
    """Endpoints of a generator whose run has directions, and their ranges; also its encoder, if there is one."""
    from tfgantl.editing.directions import directions_of_file
    from tfgantl.editing.encoder import newest_encoder, suits
    from tfgantl.editing.latent_space import LatentSpace
    from tfgantl.export.edit_signatures import editing_signatures
    from tfgantl.pretrained import load_network
    from tfgantl.progress import log

    directions = directions_of_file(path, network)
    space = LatentSpace(network, directions.space)
    file = newest_encoder(path.parent, space)
    encoder = None if file is None else load_network(file)
    if encoder is not None and not suits(encoder, space):
        raise ArtifactError(f"{file}: must be an encoder of this model. Received: a network of another form")
    if encoder is None and any(path.parent.glob(f"encoder-{directions.space}-*.keras")):
        log(f"without the encoders of {path.parent}, none of which says that it is of this generator")
    names = ", ".join(direction.name for direction in directions)
    log(f"with directions {names}{'' if encoder is None else ', and the encoder'} of {path.parent}")
    ranges = {one.name: [-3.0, 3.0] if one.effect is None else [one.effect.low, one.effect.high] for one in directions}
    # JSON of a browser puts names that are numbers first, and strengths are sent in this order.
    facts = {**facts, "directions": ranges, "direction_names": list(ranges)}
    return partial(editing_signatures, directions=directions, encoder=encoder), facts


def publish_model(config: "ExportConfig", model: str) -> PublishResult | FileResult:
    """Publishes a model, or writes it for another runtime."""
    from tfgantl.export.directory import keep_newest
    from tfgantl.export.formats import write_format
    from tfgantl.export.hub_upload import upload
    from tfgantl.export.origin import Origin, license_behind
    from tfgantl.export.publish import check_release, publish
    from tfgantl.models.presets import directory_of
    from tfgantl.training.run_directory import read_result
    from tfgantl.untrusted.hugging_face import PAIR, installed
    from tfgantl.untrusted.pictures import png_in

    if config.to:
        installed(config.to)  # before anything is published
    network, signatures, facts = open_model(config, model)
    path = directory_of(model)
    result = read_result(path)
    directory = Path(config.export_dir or EXPORTED / _name(config, path, result))
    # Also the file of a run is what the run says of it.
    facts |= _measured(result or (read_result(path.parent) if path.name == PAIR[0] else {}))
    if config.format != "savedmodel":
        check_release(directory, facts, config.force, config.max_copies)
        file, difference = write_format(network, directory, config.format)
        return FileResult(path=file, difference=difference)
    known = {
        "source_license": config.source_license or license_behind(model), "target_license": config.target_license,
    }  # fmt: skip
    if "origin" in result or any(known.values()):
        facts["origin"] = Origin.read(result.get("origin"), source=None if result else model, **known).record()
    version = publish(
        network, directory, signatures, {"source": model, **facts}, config.force,
        before_after=png_in(path / "before_after.png") if config.show_training_pictures else None,
        max_copies=config.max_copies,
    )  # fmt: skip
    return PublishResult(
        version=version,
        deleted=keep_newest(directory, config.keep) if config.keep else [],
        uploaded=upload(version, path, config.to, config.with_discriminator) if config.to else None,
    )


def _name(config: "ExportConfig", model: Path, result: dict) -> str:
    """The name to publish under: the one that is asked for, or that of the run.

    Whoever made a run chose its name. It may begin a new model, but takes the place of an existing one only if the
    path that was typed, `runs/NAME/NUMBER`, says the same.
    """
    if config.name or not result.get("name"):
        return check_name(config.name or _name_of(model))
    name = check_name(str(result["name"]))
    if name not in (model.name, model.parent.name) and (EXPORTED / name).exists():
        raise ConfigError(
            f"`name` must be given where the name of a run is that of an existing model. Received: {EXPORTED / name}; "
            f"`--name {name}` adds a version to it"
        )
    return name


def _name_of(model: Path) -> str:
    """The name of a file; of a run that has not ended, that of the folder of its runs, `runs/NAME/NUMBER`."""
    from tfgantl.progress import log

    if not (model / "config.yaml").is_file():
        return model.stem
    log(f"{model}: the run has not ended, and what it last wrote is published")
    return model.parent.name if model.name.isdecimal() else model.name


def _measured(result: dict) -> dict:
    """What the log of a run says of its result, as far as it is what this package writes: anybody can edit it."""
    from tfgantl.metrics.verdict import OUTCOMES
    from tfgantl.privacy.records import read_audit
    from tfgantl.training.class_names import class_names_of

    facts: dict = {"class_names": class_names_of(result)}
    for key in ("metrics", "baseline"):
        if isinstance(result.get(key), dict):
            facts[key] = {name: value for name, value in result[key].items() if value is None or _is_number(value)}
    verdict = result.get("verdict")
    if isinstance(verdict, dict) and verdict.get("outcome") in OUTCOMES:
        facts["verdict"] = verdict["outcome"]
    if (privacy := read_audit(result.get("privacy"))) is not None:
        facts["privacy"] = privacy
    return facts


def _is_number(value: object) -> bool:
    """Whether it is a number that a float can hold."""
    return isinstance(value, int | float) and abs(value) < sys.float_info.max
