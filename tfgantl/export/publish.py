"""Writes a SavedModel under a name that no server looks at, checks it, and renames it to the next version."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import keras
import tensorflow as tf

from tfgantl.errors import ArtifactError, ConfigError, RunError, is_out_of_memory
from tfgantl.export.check import check_in_fresh_process
from tfgantl.export.deployment import check_deployment, write_deployment
from tfgantl.export.directory import (
    check_versions,
    flush,
    published_by,
    rename_to_next,
    temporary_version,
    versions_in,
)
from tfgantl.export.examples import example_inputs, write_examples
from tfgantl.export.kinds import signatures_for
from tfgantl.export.manifest import NAME as MANIFEST
from tfgantl.export.manifest import read_manifest, write_manifest
from tfgantl.export.model_card import write_model_card
from tfgantl.export.origin import without_places
from tfgantl.export.parts import most_rows
from tfgantl.export.rows import rows_are_independent, same_alone
from tfgantl.export.warmup import batches_of, write_warmup
from tfgantl.files import check_name, expanded
from tfgantl.models.copies import weights_hash
from tfgantl.printing import printable
from tfgantl.privacy.records import read_audit
from tfgantl.training.checkpoint import plain


def publish(
    network: keras.Model,
    directory: Path | str,
    signatures: Callable[[keras.Model], dict] | None = None,
    facts: dict | None = None,
    force: bool = False,
    before_after: bytes | None = None,
    max_copies: float | None = None,
) -> Path:
    """Exports a network to `directory/<next version>`.

    The version holds the SavedModel; in `assets.extra/` warmup requests, and examples of every signature with what the
    Keras model gives; `model_card.md`; and `manifest.json` with a hash of each file. A process that knows nothing of
    the Keras model must load it and find the examples and warmup requests to work, before it gets its number.

    Args:
        network: Float32 network with its final weights.
        directory: Model directory; versions are its numbered children, and its name is that of the model.
        signatures: Gives the endpoints of the network; found by what it takes and gives if not given.
        facts: What to keep with it: source, origin, transfer, metrics, verdict, privacy, the range of each of its
            directions, if it can be edited, and some texts that it knows, if it takes any. If `run` is among them, a
            version that this run has published already, with these weights, is given back: it was interrupted before
            its report.
        force: Publish also after negative transfer, and more copies than `max_copies`.
        before_after: PNG that shows what the adaptation did, for people who look at the model; that of a run shows
            training pictures, to anybody who can reach the server.
        max_copies: Largest share of its pictures that may be copies of training pictures, in [0, 1], if `privacy` is
            among the facts; `None` for no limit.

    Returns:
        The new version's directory.

    Raises:
        ArtifactError: If the SavedModel, read back, does not give what the Keras model does, transfer was negative, it
            copies training pictures, or no endpoints suit the network.
        ConfigError: If `privacy` is among the facts, and not as an audit records it.
        RunError: If the directory cannot be written.
    """
    directory = expanded(directory)
    name, facts = check_name(directory.absolute().name), without_places(facts or {})
    check_release(directory, facts, force, max_copies)
    endpoints = (signatures or signatures_for(network, str(directory)))(network)
    is_new = not directory.exists()
    try:
        directory.mkdir(parents=True, exist_ok=True)
        check_versions(directory)
        check_deployment(directory)
        if not force:
            check_kind(directory, endpoints)
        if facts.get("run"):
            facts = {**facts, "weights": weights_hash(network)}
        version = published_by(directory, facts.get("run"), facts.get("weights"))
        if version is None:
            with temporary_version(directory) as temporary:
                _write(network, endpoints, temporary, name, facts, before_after)
                check_in_fresh_process(temporary)
                _flush(temporary)
                version = rename_to_next(temporary, directory)
        write_deployment(directory, batches_of(endpoints))
        return version
    except tf.errors.InvalidArgumentError as error:
        told = next((line for line in str(error).splitlines() if line.startswith("assertion")), plain(error))
        raise ArtifactError(f"a network must answer examples to be published. Received: {told}") from error
    except tf.errors.OpError as error:
        place = "into memory" if is_out_of_memory(error) else "on the disk"
        raise RunError(f"{directory}: the SavedModel must fit {place}. Received: {plain(error)}") from error
    except OSError as error:
        raise RunError(
            f"`export_dir` must be a directory that can be written. Received: {directory} ({error})"
        ) from error
    finally:
        if is_new:
            with suppress(OSError):
                directory.rmdir()  # of an export that failed: it is empty


def check_release(directory: Path, facts: dict, force: bool = False, max_copies: float | None = None) -> None:
    """Refuses what is not to leave this machine, in whatever form.

    Args:
        directory: Where it would be written.
        facts: As for `publish`.
        force: Refuse nothing.
        max_copies: As for `publish`.

    Raises:
        ArtifactError: After negative transfer, or if it copies training pictures.
        ConfigError: If `privacy` is among the facts, and not as an audit records it.
    """
    if facts.get("verdict") == "negative" and not force:
        raise ArtifactError(
            f"{directory}: transfer must not be negative for a model to be published, unless forced. Received: negative"
        )
    if (share := excess_copies(facts, max_copies)) is not None and not force:
        raise ArtifactError(
            f"{directory}: `max_copies`, the share of generated pictures that copy training pictures, must be at most "
            f"{max_copies} for a model to be published, unless forced. Received: {share:.4g}"
        )


def check_kind(directory: Path, signatures: Iterable[str]) -> None:
    """Refuses what answers nothing that the newest version does: whoever asks a server would get errors.

    Args:
        directory: Model directory.
        signatures: Names of the endpoints of what is to be published.

    Raises:
        ArtifactError: If it is a model of another kind.
    """
    found = versions_in(directory) if directory.is_dir() else []
    if not found or not (directory / str(found[-1]) / MANIFEST).is_file():
        return
    of_any = {"serving_default"}
    there, new = set(read_manifest(directory / str(found[-1]))["signatures"]) - of_any, set(signatures) - of_any
    if there and not there & new:
        raise ArtifactError(
            f"{directory}: the model must have an endpoint that the newest version has ({', '.join(sorted(there))}), "
            f"or another `name` or `export_dir`. Received: one with {', '.join(sorted(new))}"
        )


def excess_copies(facts: dict, max_copies: float | None) -> float | None:
    """The share of copies, if it is more than what is allowed and, in any space, than by chance; else `None`.

    Raises:
        ConfigError: If `privacy` is among the facts, and not as an audit records it.
    """
    privacy = facts.get("privacy")
    audit = None if privacy is None else read_audit(privacy)
    if privacy is not None and audit is None:
        raise ConfigError(
            "`privacy` among the `facts` must be what `Audit.record` of tfgantl.privacy.audit gives, or what the "
            f"metrics of a run have. Received: {printable(privacy)[:100]}"
        )
    copies = audit and audit["copies"]
    if not copies or max_copies is None or copies["share"] <= max_copies:
        return None
    return copies["share"] if max(copies["by_space"].values(), default=0.0) > copies["chance"] else None


def refusal(facts: dict, max_copies: float | None) -> str | None:
    """Why `publish` refuses a model without force, in words for people; `None` if it does not."""
    if facts.get("verdict") == "negative":
        return "transfer was negative"
    share = excess_copies(facts, max_copies)
    if share is None:
        return None
    return f"{share:.1%} of its pictures are copies of training pictures, more than `max_copies` {max_copies:.1%}"


def check_export_dir(directory: Path, signature: str, force: bool = False) -> None:
    """Tells before a run what would keep its result from being published.

    Args:
        directory: Model directory; it is not made.
        signature: Name of an endpoint that the model will have.
        force: Whether it may be of another kind than what is there.

    Raises:
        RunError: If it could not be made or written.
        ArtifactError: If it is of a model of another kind.
    """
    parent = next(path for path in (directory, *directory.absolute().parents) if path.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RunError(f"`export_dir` must be a directory that can be written. Received: {directory}")
    if not force:
        check_kind(directory, [signature])


def write_saved_model(network: keras.Model, endpoints: dict, directory: Path) -> None:
    """Writes a SavedModel with these endpoints into an existing, empty directory."""
    archive = keras.export.ExportArchive()
    archive.track(network)
    for name, function in endpoints.items():
        function.get_concrete_function()
        archive.add_endpoint(name, function)
    archive.write_out(str(directory), verbose=False)


def _write(
    network: keras.Model, endpoints: dict, directory: Path, name: str, facts: dict, before_after: bytes | None
) -> None:
    """Writes all files of a version."""
    write_saved_model(network, endpoints, directory)
    examples = _examples(network, endpoints, facts.get("directions") or {}, facts.get("texts") or ())
    write_examples(directory, examples)
    inputs = {signature: inputs for signature, (inputs, _) in examples.items()}
    write_warmup(directory, name, inputs, batches_of(endpoints))
    if before_after is not None:
        (directory / "assets.extra" / "before_after.png").write_bytes(before_after)
    contract = _contract(endpoints)
    facts = {
        "name": name, "signatures": contract, "classes": _classes(network, contract),
        "before_after": before_after is not None, **facts,
        "independent_rows": rows_are_independent(network) and _same_alone(endpoints, examples),
    }  # fmt: skip
    write_model_card(directory, facts)
    write_manifest(directory, facts)


def _same_alone(endpoints: dict, examples: dict[str, tuple[dict, dict]]) -> bool:
    """Whether the first row of each example gives the same without the others."""
    for signature, (inputs, outputs) in examples.items():
        first = [tf.constant(list(v[:1]) if v.dtype == object else v[:1]) for v in inputs.values()]
        alone = endpoints[signature](*first)
        if not all(same_alone(alone[name].numpy(), together) for name, together in outputs.items()):
            return False
    return True


def _flush(directory: Path) -> None:
    """Brings everything to the disk, so that a number never stands for half a model."""
    for path in (*directory.rglob("*"), directory):
        flush(path)


def _examples(
    network: keras.Model, endpoints: dict, directions: dict, texts: Sequence[str]
) -> dict[str, tuple[dict, dict]]:
    """What the Keras model gives, signature by signature."""
    examples = {}
    for signature, function in endpoints.items():
        outputs = tf.nest.flatten(function.get_concrete_function().structured_outputs)
        most = most_rows(*(spec.shape for spec in outputs))  # of large images
        inputs = example_inputs(_specs(function), getattr(network, "num_classes", None), list(directions), texts)
        inputs = {name: value[:most] for name, value in inputs.items()}
        values = [tf.constant(list(v) if v.dtype == object else v) for v in inputs.values()]
        examples[signature] = inputs, {name: value.numpy() for name, value in function(*values).items()}
    return examples


def _specs(function: tf.types.experimental.PolymorphicFunction) -> dict[str, tf.TensorSpec]:
    return {spec.name: spec for spec in function.input_signature}


def _contract(endpoints: dict) -> dict[str, dict]:
    """Names, types and shapes of what goes in and out, for the manifest."""

    def side(specs: Iterable[tuple[str, tf.TensorSpec]]) -> dict[str, list]:
        return {name: [spec.dtype.name, [None if n is None else int(n) for n in spec.shape]] for name, spec in specs}

    contract = {}
    for name, function in endpoints.items():
        outputs = function.get_concrete_function().structured_outputs
        contract[name] = {"inputs": side(_specs(function).items()), "outputs": side(sorted(outputs.items()))}
    return contract


def _classes(network: keras.Model, contract: dict[str, dict]) -> int | None:
    """Number of classes that a generator takes, or that a classifier tells apart."""
    probabilities = contract["serving_default"]["outputs"].get("probabilities")
    return probabilities[1][-1] if probabilities else getattr(network, "num_classes", None)
