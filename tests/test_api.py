"""What `import tfgantl` offers: lazily, with the errors of the command line, and as quiet as it in a notebook."""

import html
import json
import random
import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import keras
import numpy as np
import pytest
from conftest import TINY_MLP, small_job, tiny_images
from PIL import Image

import tfgantl
from tfgantl import api, keras_objects
from tfgantl.data import HandwrittenDigits
from tfgantl.errors import ConfigError
from tfgantl.pipelines.adapt import DEFAULTS, AdaptConfig
from tfgantl.pipelines.keywords import configure
from tfgantl.report import Report
from tfgantl.training.optimization import Optimization

HEAVY = ("tensorflow", "keras", "numpy", "scipy", "sklearn", "matplotlib", "PIL", "yaml", "jsonargparse")


def fresh(code, directory, *arguments):
    """What a process that has imported nothing prints."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout, done.stderr


def test_importing_the_package_imports_next_to_nothing(tmp_path):
    code = f"import tfgantl, sys; print([m for m in {HEAVY} if m in sys.modules], len(sys.modules))"
    printed, _ = fresh(code, tmp_path)
    heavy, count = printed.rsplit(" ", 1)
    assert heavy == "[]" and int(count) < 200


def test_all_names_are_there():
    for name in tfgantl.__all__:
        assert name in dir(tfgantl) and getattr(tfgantl, name) is not None
    with pytest.raises(AttributeError, match="module 'tfgantl' has no attribute 'adopt'"):
        _ = tfgantl.adopt


ORDERS = {"tfgantl first": "import tfgantl, keras", "keras first": "import keras, tfgantl"}


@pytest.mark.parametrize("order", ORDERS)
def test_keras_finds_the_classes_of_the_package(order, tmp_path):
    generator = TINY_MLP.build(8, 1, 3, "float32")[0]
    generator.save(tmp_path / "generator.keras")
    code = (
        f"import sys; {ORDERS[order]}\n"
        "assert 'tfgantl.models.mlp' not in sys.modules\n"
        "generator = keras.models.load_model(sys.argv[1])\n"
        "print(type(generator).__module__, generator.count_params())"
    )
    printed, _ = fresh(code, tmp_path, tmp_path / "generator.keras")
    assert printed.split() == ["tfgantl.models.mlp", str(generator.count_params())]


def test_every_class_that_is_registered_with_keras_can_be_found():
    package = Path(tfgantl.__file__).parent
    for path in package.rglob("*.py"):
        if "@keras.saving.register_keras_serializable" in path.read_text():
            import_module(".".join(("tfgantl", *path.relative_to(package).with_suffix("").parts)))
    registered = keras.saving.get_custom_objects()
    for module, name in keras_objects.classes():
        assert registered[f"tfgantl>{name}"] is getattr(import_module(module), name)
    known = {f"tfgantl>{name}" for _, name in keras_objects.classes()}
    assert known == {name for name in registered if name.startswith("tfgantl>")}


def test_the_notebook_of_the_readme(tmp_path):
    """Tiny, on pictures in folders, in a process that must not notice signal handlers or prints."""
    small_job(tmp_path)
    for number in range(36):
        folder = tmp_path / "my_pictures" / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(tiny_images(1, seed=number)[0, ..., 0]).save(folder / f"{number}.png")
    code = """
import json, signal, sys
import tfgantl

handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
small = {"validate_every": 2, "samples": 40, "classifier_steps": 2, "batch_size": 8, "extractor": "extractor"}
result = tfgantl.adapt(
    source="source", target=tfgantl.Folder("my_pictures", validation=0.3), transfer=tfgantl.transfer.FreezeD(),
    steps=2, **small,
)
assert handlers == [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
print(json.dumps(result.to_json()))
print(result.verdict.outcome, result.metrics == result.to_json()["metrics"], result.generator.output_shape)
print(result.run_dir, (result.run_dir / "report.html").read_text() == result.report.html(), result.export_dir)
"""
    printed, logged = fresh(code, tmp_path)
    lines = printed.splitlines()
    assert len(lines) == 3 and "adapted" in logged and "Traceback" not in logged
    assert json.loads(lines[0])["steps"] == 2
    assert re.fullmatch(r"(positive|neutral|negative|inconclusive) True \(None, 8, 8, 1\)", lines[1])
    assert lines[2] == "runs/my_pictures/1 True exported/my_pictures/1"
    for remark in ("oneDNN", "cuda"):
        assert remark not in logged


def test_generators_and_gans_are_published_by_hand(tmp_path, make_gan):
    gan = make_gan(TINY_MLP)
    assert tfgantl.publish(gan.generator, tmp_path / "model").name == "1"
    assert tfgantl.publish(gan, str(tmp_path / "model")).name == "2"


def test_networks_of_bare_weights_are_named_or_made(tmp_path, make_gan):
    make_gan(tfgantl.MLP()).generator.save_weights(tmp_path / "x.weights.h5")
    named, made = (tfgantl.load_generator(tmp_path / "x.weights.h5", networks) for networks in ("MLP", tfgantl.MLP()))
    assert named.get_config() == made.get_config()
    with pytest.raises(ConfigError, match="`networks` must be an object of DCGAN, .* Received: 'DCGAM'"):
        tfgantl.load_source(tmp_path / "x.weights.h5", "DCGAM")


def test_random_numbers_of_the_caller_are_the_callers_own(tmp_path):
    """Between calls, scripts drew the same noise each time."""
    with api._untouched_generators():
        keras.utils.set_random_seed(0)
        drawn = np.random.random(), random.random()
    random.seed(5), np.random.seed(5)
    wanted = np.random.random(), random.random()
    random.seed(5), np.random.seed(5)
    with pytest.raises(ZeroDivisionError), api._untouched_generators():
        keras.utils.set_random_seed(0)
        assert (np.random.random(), random.random()) == drawn
        _ = 1 / 0
    assert (np.random.random(), random.random()) == wanted


def test_a_report_shows_itself_in_a_frame():
    report = Report('"<b>" & co', pictures={"one": b"png"})
    shown = report._repr_html_()
    page = re.fullmatch(r'<iframe title="[^"]*" srcdoc="([^"]*)" style="[^"]*"></iframe>', shown)[1]
    assert html.unescape(page) == report.html() and "data:image/png" in page


SETTINGS = {
    "objects": {"target": tfgantl.Folder("x"), "optimization": Optimization(r1=3.0), "networks": tfgantl.MLP()},
    "names of classes": {"transfer": "FreezeD", "networks": "MLP"},
    "as in a recipe": {"target": {"class_path": "Folder", "init_args": {"path": "x"}}, "optimization": {"r1": 3.0}},
    "what is like a type": {"steps": np.int64(7), "run_dir": Path("x"), "allow_ops": ["a"], "patience": None},
}


@pytest.mark.parametrize("kind", SETTINGS)
def test_settings_are_what_a_recipe_takes_or_objects(kind):
    config = configure(AdaptConfig, "adapt", SETTINGS[kind])
    expected = {
        "objects": SETTINGS["objects"],
        "names of classes": {"transfer": tfgantl.transfer.FreezeD(), "networks": tfgantl.MLP()},
        "as in a recipe": {"target": tfgantl.Folder("x")},
        "what is like a type": {"steps": 7, "run_dir": "x", "allow_ops": ("a",), "patience": None},
    }[kind]
    assert {name: getattr(config, name) for name in expected} == expected
    assert "target" in SETTINGS[kind] or config.target == HandwrittenDigits()
    assert "optimization" not in SETTINGS[kind] or config.optimization.r1 == 3.0


MISTAKES = {
    "unknown": ({"stepz": 3}, r"`adapt` must be .* settings that it has; did you mean `steps`\? Received: stepz"),
    "unlike any": ({"xyz": 3}, "they are .*steps.* Received: xyz"),
    "wrong type": ({"steps": "many"}, "`steps` must be of type int or None. Received: 'many'"),
    "wrong optional type": ({"patience": 0.5}, "`patience` must be of type int or None. Received: 0.5"),
    "out of range": ({"steps": 0}, "`steps` must be at least 1, or none. Received: 0"),
    "not a choice": ({"precision": "half"}, "`precision` must be one of auto, float32, .* Received: 'half'"),
    "unknown class": ({"transfer": "Magic"}, "`transfer` must be an object of AdAM, .*SVD.* Received: 'Magic'"),
    "object of another class": ({"transfer": tfgantl.Folder("x")}, "`transfer` must be an object .* Received: Folder"),
    "settings of a class": ({"optimization": {"r1": -1}}, "`r1` must be at least 0, or none. Received: -1"),
    "not settings": ({"optimization": 3}, "`optimization` must be of type Optimization. Received: 3"),
    "no run": ({"resume": "nowhere"}, "`--resume` must name a run directory with a config.yaml. Received: nowhere"),
    "resumed and changed": ({"resume": "x", "steps": 3}, "`resume` must stand without other settings; .* steps"),
}  # fmt: skip


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_told_in_one_line(kind):
    settings, message = MISTAKES[kind]
    with pytest.raises(ConfigError, match=message) as error:
        tfgantl.adapt(**settings)
    assert "\n" not in str(error.value)


def test_the_configuration_of_a_run_is_read_from_its_directory(tmp_path):
    (tmp_path / "config.yaml").write_text("steps: 7\n")
    settings = {"resume": str(tmp_path), "allow_changes": True}
    config = configure(AdaptConfig, "adapt", settings, DEFAULTS)
    assert config == AdaptConfig(steps=7, **settings)
