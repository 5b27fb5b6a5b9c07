"""From the command line to a configuration object, before anything heavy is imported; and errors as single lines."""

import json
import os
import signal
import sys
import threading
import traceback
import typing
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import fields, is_dataclass
from functools import partial
from inspect import isabstract
from typing import Any

import yaml
from jsonargparse import ArgumentParser, set_parsing_settings

from tfgantl import interrupts
from tfgantl.arguments import (
    appended,
    check_options,
    class_first,
    is_chosen,
    named_recipes,
    read_recipe,
    repeated,
    resumed,
    spelled,
    underscored,
    with_renamed_recipes,
)
from tfgantl.cluster import Cluster
from tfgantl.configuration import chosen_class
from tfgantl.errors import TfgantlError, is_out_of_memory, reason
from tfgantl.old_names import renamed_arguments
from tfgantl.printing import printable

if typing.TYPE_CHECKING:
    from _typeshed import DataclassInstance

Config = typing.TypeVar("Config", bound="DataclassInstance")

PIPELINES = {
    "adapt": "adapt a GAN to your images, judge it, and export it",
    "pretrain": "train a source GAN on any data source",
    "evaluate": "measure any generator on held-out images",
    "recognize": "adapt a classifier to a target with few labels or none, and compare the ways to do so",
    "export": "publish a generator or classifier for TensorFlow Serving; list, verify and withdraw versions",
    "serve": "serve a model directory for development, with a page to look at",
    "extractor": "train features to measure with, once for many runs",
    "generate": "write images of a generator, as many as are wanted: folders or shards",
    "cache": "tell what the cache holds, and clear it",
    "stylize": "paint a picture in the style of others, or as a phrase says",
    "stylize train": "train one network for many styles, or new styles for one that is trained",
    "stylize apply": "paint pictures with a trained network, in one pass",
    "stylize describe": "say in words what the style of a picture is like",
    "imagine": "draw what a text says",
    "imagine train": "train a generator that is told in words what to draw, on captioned pictures",
    "describe": "say what pictures show: caption, class and attributes",
    "describe search": "find pictures by a text, or captions by a picture",
    "describe train": "train what describes and searches, on captioned pictures",
    "edit invert": "find the codes of pictures: what a generator makes them of",
    "edit switch": "show pictures as another class",
    "edit move": "move pictures along directions, such as thicker or brighter",
    "edit find": "find directions, from attributes or from the weights",
    "edit fill": "fill holes in pictures",
    "edit restore": "restore small, noisy or gray pictures",
    "edit mix": "mix two pictures",
    "edit walk": "walk through the images of a generator",
}

POSITIONAL = ("serve",)  # verbs whose required settings need no name

FLAGS = {
    "probe": "only ask whether transfer would help: short runs, judged on validation images; writes nothing",
    "allow_changes": "go on with a run even if its data or the versions of packages have changed",
    "rank": "only tell which source looks most helpful, before anything is trained on the target",
    "show_training_pictures": "publish before_after.png, too, which shows training pictures",
    "force": "publish also after negative transfer, and more copies than `max_copies`",
    "with_discriminator": "upload the discriminator, too; it tells training pictures from others better than all else",
    "clear": "remove it, but for what another process is writing",
    "json": "print the result as the last line, one JSON object",
}


MAX_MESSAGE = 2000  # characters of a mistake: jsonargparse quotes whatever it has read


class _Parser(ArgumentParser):
    """Reports a mistake in one line, with exit code 2."""

    title = "tfgantl"  # jsonargparse makes parsers of its own for classes; they report under the same name
    choices: dict[str, list[str]] = {}  # option → names of the classes to choose from

    def error(self, message: str, ex: Exception | None = None) -> typing.NoReturn:
        reason = " ".join(line.strip() for line in str(message)[:MAX_MESSAGE].splitlines())
        for option, names in self.choices.items():
            if f'"{option}"' in reason and "import path" in reason:
                reason = f"`{option}` must be one of {', '.join(names)}, or a full import path. {reason}"
        self.exit(2, f"{self.title}: error: {printable(reason)}\n")


def parse(config_class: type[Config], verb: str, defaults: dict, arguments: list[str] | None) -> Config:
    """Reads the command line, and YAML recipes named with `--config`, into a configuration.

    Args:
        config_class: Dataclass of the pipeline. Those of its fields that are in `FLAGS` become flags; with a field
            `resume`, the recipe of a run directory takes the place of all options.
        verb: Name of the pipeline, or the whole command of a program that is none.
        defaults: Field name → default, as in YAML, for fields that hold an object of a class to choose, or a list of
            such; an option of a list may stand several times, each time for one more object.
        arguments: Command line, or `None` for that of the process.

    Returns:
        The configuration.
    """
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    purpose = PIPELINES.get(verb) or (config_class.__doc__ or "").partition("\n")[0].rstrip(".")
    parser = _Parser(prog=program(verb), description=purpose[0].upper() + purpose[1:] + ".")
    _Parser.title = parser.prog
    given = underscored(sys.argv[1:] if arguments is None else arguments)
    arguments, remarks = _or_error(parser, renamed_arguments, given)
    if "resume" in config_class.__dataclass_fields__:
        arguments = _or_error(parser, resumed, arguments)
    for field in fields(config_class):
        if field.type == list[str] | str:
            arguments = repeated(arguments, field.name)
    for recipe in named_recipes(arguments):
        _or_error(parser, read_recipe, recipe)
    parser.add_argument("--config", action="config", help="YAML recipe; options after it override it")
    if getattr(config_class, "sharing", "") == "parts" and any(x.partition("=")[0] == "--devices" for x in arguments):
        parser.error(f"`devices` must be left out for {verb}, of which workers do parts, each on one device")
    flags = [flag for flag in FLAGS if flag in config_class.__dataclass_fields__]
    parser.add_class_arguments(config_class, skip=set(flags), as_positional=verb in POSITIONAL)
    for flag in flags:
        parser.add_argument(f"--{flag}", action="store_true", help=FLAGS[flag])
    for option, default in defaults.items():
        hint: Any = config_class.__dataclass_fields__[option].type
        many = typing.get_origin(hint) is list
        classes = _classes(typing.get_args(hint)[0] if many else chosen_class(hint) or hint)
        names = _Parser.choices[option] = sorted(classes)
        arguments = spelled(arguments, option, names)
        if not many:
            arguments = class_first(arguments, option)
            _or_error(parser, check_options, arguments, option, default, classes)
        if many:
            arguments, more = _or_error(parser, appended, arguments, option, names)
            remarks += more
        # A default class that is not wanted must be gone before parsing, or its settings go over to the chosen class.
        parser.set_defaults({option: None if not many and is_chosen(option, arguments) else default})
    arguments, more = _or_error(parser, with_renamed_recipes, arguments, _Parser.choices)
    if remarks + more:
        print(f"{parser.prog}: note: {printable('; '.join(remarks + more))}", file=sys.stderr)
    namespace = parser.parse_args(arguments)
    try:
        values = parser.instantiate(namespace)
        return config_class(**{field.name: values[field.name] for field in fields(config_class)})
    except (ValueError, TypeError) as error:
        parser.error(str(error))


def _or_error(parser: _Parser, function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return function(*arguments)
    except (ValueError, yaml.YAMLError) as error:
        parser.error(str(error))


def program(verb: str) -> str:
    """What a user types to run a verb; benchmarks are no verbs, and say the whole command."""
    return f"tfgantl {verb}" if verb in PIPELINES else verb


def _classes(base: type) -> dict[str, list[str]]:
    """The classes of this package that an option can choose from: name → names of its options."""
    return {
        found.__name__: [field.name for field in fields(found)]
        for found in concrete_dataclasses(base)
        if found.__module__.startswith("tfgantl.") and not found.__name__.startswith("_")
    }


def concrete_dataclasses(base: type[Any]) -> set[type]:
    """The dataclasses that an option can choose from."""
    return {cls for cls in _subclasses(base) if is_dataclass(cls) and not isabstract(cls)}


def _subclasses(base: type[Any]) -> set[type]:
    return {base}.union(*(_subclasses(child) for child in base.__subclasses__()))


def run(
    config_class: type[Config],
    verb: str,
    work: Callable[[Config], Any],
    defaults: dict,
    arguments: list[str] | None = None,
) -> int:
    """Parses, works, prints, and turns the user's mistakes into one line and an exit code.

    Exit codes: 0 done; 1 a bug, with its traceback; 2 options; 3 data; 4 model files; 5 run directory, disk or memory;
    6 diverged; 7 interrupted and saved; 9 another worker has gone or differs; 130 interrupted at once.

    Args:
        config_class: Dataclass of the pipeline.
        verb: Name of the pipeline, or the whole command of a program that is none.
        work: Takes the configuration, and returns a result with `to_json()`, for `--json`, and `text()`, for people; or
            what `--json` prints.
        defaults: As for `parse`.
        arguments: Command line, or `None` for that of the process.
    """
    for stream in (sys.stdout, sys.stderr):  # whatever the code page of the terminal
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")
    config = parse(config_class, verb, defaults, arguments)
    try:
        if hasattr(config, "check_files"):
            config.check_files()
        cluster = _workers(config, verb)
        if getattr(config, "computes", True):
            quiet_tensorflow(partial(_form, config) if _sharing(config) else None)
    except TfgantlError as error:
        return _fail(verb, str(error), error.exit_code)
    interrupts.raise_again()
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends what it interrupts, as Ctrl-C does
    if cluster is None:
        return _worked(config, verb, work)
    try:
        code = _worked(config, verb, work)
    except Exception:
        traceback.print_exc()
        code = 1
    if code:  # TensorFlow would wait for the other workers, which may be gone
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    return code


def _worked(config: Any, verb: str, work: Callable[[Any], Any]) -> int:
    """Works, prints, and turns mistakes into one line; gives the exit code."""
    as_json = getattr(config, "json", False)
    try:
        with redirect_stdout(sys.stderr) if as_json else _as_is():
            result = work(config)
    except TfgantlError as error:
        return _fail(verb, str(error), error.exit_code)
    except OSError as error:
        return _fail(verb, f"file system: {error}", 5)
    except KeyboardInterrupt:
        return _fail(verb, "interrupted", 130)
    except Exception as error:
        if _is_of_interrupt(error):
            return _fail(verb, "interrupted", 130)
        if not is_out_of_memory(error):
            raise  # a bug
        return _fail(verb, f"memory: there must be enough of it; a smaller batch or size may help. {reason(error)}", 5)
    if result is None:  # of a worker that is not the chief
        return 0
    if as_json:
        _say(json.dumps(result if isinstance(result, dict) else result.to_json()))
    elif hasattr(result, "text") and (text := result.text()):
        _say(printable(text, keep="\n"))
    return 0


def _workers(config: Any, verb: str) -> Cluster | None:
    """The workers that a training is shared among, all of which are there.

    Raises:
        ConfigError: If `TF_CONFIG` is no configuration.
        WorkerError: If one does not come.
    """
    if _sharing(config) is None:
        return None
    cluster = Cluster.from_environment()
    if cluster is None:
        return None
    cluster.meet(waiting=lambda message: print(f"{program(verb)}: {printable(message)}", file=sys.stderr, flush=True))
    return cluster


def _sharing(config: Any) -> str | None:
    return getattr(config, "sharing", None)


def _form(config: Any) -> None:
    """Forms the team of a training, which must come before anything is computed."""
    from tfgantl.training.team import form

    form(getattr(config, "devices", 1), config.shared_batch)


def _say(text: str) -> None:
    try:
        print(text, flush=True)
    except BrokenPipeError:  # who reads has seen enough, as `| head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(verb: str, message: str, code: int) -> int:
    print(f"{program(verb)}: error: {printable(' '.join(message.split()))}", file=sys.stderr)
    return code


def _is_of_interrupt(error: BaseException | None) -> bool:
    """Whether an error has come of an interrupt: one within a call from C becomes whatever the library makes of it."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


def _as_is() -> redirect_stdout:
    return redirect_stdout(sys.stdout)


def quiet_tensorflow(first: Callable[[], None] | None = None) -> None:
    """Imports TensorFlow as the backend, and keeps its start-up remarks off the screen.

    They are written to the file descriptor itself, whatever the log level, and look like errors where there is no GPU.

    Args:
        first: What is to be done before TensorFlow looks for devices.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = interrupts.error_stream = os.dup(2)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        import keras
        import tensorflow as tf

        if first is not None:
            first()
        tf.config.list_logical_devices()
        keras.config.set_image_data_format("channels_last")  # whatever ~/.keras/keras.json says
    finally:
        os.dup2(kept, 2)
        interrupts.error_stream = 2
        os.close(kept)


def main() -> None:
    """The console script: `tfgantl VERB …` is `python -m tfgantl.pipelines.VERB …`."""
    verb = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if verb == "benchmark":
        names = "adaptation, transfer, recognition, serving, speed or style"
        print(f"tfgantl: error: benchmarks run from a clone: python -m benchmarks.NAME, of {names}", file=sys.stderr)
        sys.exit(2)
    if verb == "--version":
        from tfgantl.versions import versions

        print(f"tfgantl {versions()['tfgantl']}")
        sys.exit(0)
    if verb in ("-h", "--help"):
        print("usage: tfgantl VERB [options]\n\nverbs:")
        for name, purpose in PIPELINES.items():
            print(f"  {name:18} {purpose}")
        print("\ntfgantl VERB --help shows the options of one; tfgantl --version the version.")
        sys.exit(0)
    if verb not in {name.partition(" ")[0] for name in PIPELINES}:
        print(
            f"tfgantl: error: VERB must be one of {', '.join(PIPELINES)}. Received: {printable(verb)}", file=sys.stderr
        )
        sys.exit(2)
    from importlib import import_module

    module, *more = verb.split()
    sys.exit(import_module(f"tfgantl.pipelines.{module}").main([*more, *sys.argv[2:]]))
