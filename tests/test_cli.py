"""The command line: quick help, one-line mistakes with their exit codes, recipes, and the configuration's way back."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from benchmarks import adaptation, crossmodal, recognition, style, transfer, verdict
from benchmarks.serving import __main__ as serving
from benchmarks.speed import __main__ as speed
from tfgantl import cli
from tfgantl import transfer as methods
from tfgantl.configuration import to_yaml
from tfgantl.data import Folder
from tfgantl.models import FAMILIES
from tfgantl.own_modules import find_own_modules
from tfgantl.pipelines import (
    adapt,
    cache,
    describe,
    evaluate,
    export,
    extractor,
    generate,
    imagine,
    pretrain,
    recognize,
    serve,
    stylize,
)
from tfgantl.pipelines.describe import search
from tfgantl.pipelines.describe import train as describe_train
from tfgantl.pipelines.edit import fill, find, invert, mix, move, restore, switch, walk
from tfgantl.pipelines.imagine import train as imagine_train
from tfgantl.pipelines.stylize import apply, train
from tfgantl.pipelines.stylize import describe as style_description
from tfgantl.recognition import DANN, MCD, SHOT, AdaBN, GANImages
from tfgantl.text_files import load_yaml

PIPELINES = {
    "adapt": (adapt.AdaptConfig, adapt.DEFAULTS),
    "pretrain": (pretrain.PretrainConfig, pretrain.DEFAULTS),
    "evaluate": (evaluate.EvaluateConfig, evaluate.DEFAULTS),
    "export": (export.ExportConfig, {}),
    "serve": (serve.ServeConfig, {}),
    "extractor": (extractor.ExtractorConfig, {}),
    "generate": (generate.GenerateConfig, {}),
    "cache": (cache.CacheConfig, {}),
    "recognize": (recognize.RecognizeConfig, recognize.DEFAULTS),
    "python -m benchmarks.recognition": (recognition.RecognitionBenchmarkConfig, recognition.DEFAULTS),
    "stylize": (stylize.StylizeConfig, {}),
    "stylize train": (train.StyleTrainingConfig, {}),
    "stylize apply": (apply.StyleApplicationConfig, {}),
    "stylize describe": (style_description.StyleDescriptionConfig, {}),
    "describe": (describe.DescribeConfig, {}),
    "describe search": (search.SearchByTextConfig, {}),
    "describe train": (describe_train.DescribeTrainConfig, describe_train.DEFAULTS),
    "imagine": (imagine.ImagineConfig, {}),
    "imagine train": (imagine_train.ImagineTrainConfig, imagine_train.DEFAULTS),
    "edit invert": (invert.InvertConfig, {}),
    "edit switch": (switch.SwitchConfig, {}),
    "edit move": (move.MoveConfig, {}),
    "edit find": (find.FindConfig, {}),
    "edit fill": (fill.FillConfig, {}),
    "edit restore": (restore.RestoreConfig, {}),
    "edit mix": (mix.MixConfig, {}),
    "edit walk": (walk.WalkConfig, {}),
    "python -m benchmarks.adaptation": (adaptation.BenchmarkConfig, {}),
    "python -m benchmarks.transfer": (transfer.TransferBenchmarkConfig, {}),
    "python -m benchmarks.serving": (serving.ServingBenchmarkConfig, {}),
    "python -m benchmarks.crossmodal": (crossmodal.CrossmodalBenchmarkConfig, {}),
    "python -m benchmarks.speed": (speed.SpeedBenchmarkConfig, {}),
    "python -m benchmarks.style": (style.StyleBenchmarkConfig, {}),
    "python -m benchmarks.verdict": (verdict.VerdictBenchmarkConfig, {}),
}
RECIPES = Path(__file__).parent.parent / "pipelines"
NEEDED = {
    "extractor": ["--domains+=RenderedDigits", "--out_dir", "somewhere"],
    "export": ["--list", "exported/x"],
    "serve": ["exported/x"],
    "describe": ["--pictures", "x.png"],
    "describe search": ["--among", "x", "--query", "y"],
    "stylize apply": ["--network", "x.keras", "--content", "y.jpg"],
    "stylize describe": ["--picture", "x.jpg"],
}


def parse(verb, *arguments):
    config, defaults = PIPELINES[verb]
    return cli.parse(config, verb, defaults, [*NEEDED.get(verb, []), *arguments])


@pytest.mark.parametrize("verb", PIPELINES)
def test_help_answers_at_once_and_without_tensorflow(verb, libraries_time):
    if verb in cli.PIPELINES:
        words, run = ["tfgantl", *verb.split()], "from tfgantl.cli import main; main()"
    else:
        words, run = ["-m"], f"from runpy import run_module; run_module('{verb.split()[-1]}', run_name='__main__')"
    code = (
        f"import sys; sys.argv = [*{words}, '--help']\n"
        f"try: {run}\n"
        "finally: assert 'tensorflow' not in sys.modules and 'keras' not in sys.modules"
    )
    # Other work makes a process slow at times, so there are three attempts; most need one.
    assert any(processor_time(code, "--config") < 3.0 * libraries_time for _ in range(3))


def processor_time(code, printed):
    """Seconds that a process takes of a processor, as other work may keep it from running."""
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    after = os.times()
    assert done.returncode == 0 and printed in done.stdout and not done.stderr, done.stderr
    return after.children_user + after.children_system - before.children_user - before.children_system


@pytest.fixture(scope="module")
def libraries_time():
    """What the libraries behind the help take by themselves: about a third of a second on a laptop."""
    return min(processor_time("import jsonargparse, numpy, PIL.Image, yaml", "") for _ in range(2))


def test_the_console_script_lists_the_verbs(capsys, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["tfgantl"])
    with pytest.raises(SystemExit, match="0"):
        cli.main()
    printed = capsys.readouterr().out
    assert all(f"  {verb} " in printed for verb in cli.PIPELINES)
    assert {verb for verb in PIPELINES if not verb.startswith("python -m ")} == set(cli.PIPELINES)
    monkeypatch.setattr(sys, "argv", ["tfgantl", "adopt"])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert "VERB must be one of adapt, pretrain" in capsys.readouterr().err
    monkeypatch.setattr(sys, "argv", ["tfgantl", "benchmark", "recognition"])
    with pytest.raises(SystemExit, match="2"):
        cli.main()
    assert re.search("from a clone: python -m benchmarks.NAME, of adaptation, .*\n$", capsys.readouterr().err)


@pytest.mark.parametrize("verb", PIPELINES)
def test_the_printed_configuration_feeds_back(verb, tmp_path):
    config = parse(verb)
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    again = cli.parse(PIPELINES[verb][0], verb, PIPELINES[verb][1], ["--config", str(tmp_path / "config.yaml")])
    assert again == config and to_yaml(again) == to_yaml(config)


def test_options_override_recipes(tmp_path):
    (tmp_path / "recipe.yaml").write_text(
        "steps: 7\ntarget: {class_path: HandwrittenDigits, init_args: {shots: null}}\n"
    )
    config = parse("adapt", "--config", str(tmp_path / "recipe.yaml"), "--target.seed", "3", "--baseline", "false")
    assert (config.steps, config.target.shots, config.target.seed, config.baseline) == (7, None, 3, False)


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_valid_and_says_how_to_run_it(recipe):
    text = recipe.read_text()
    verb = max((verb for verb in PIPELINES if text.split("tfgantl ")[1].startswith(verb)), key=len)
    cli.parse(PIPELINES[verb][0], verb, PIPELINES[verb][1], ["--config", str(recipe)])
    assert text.startswith("#") and f"pipelines/{recipe.name}" in text and "minutes" in text
    assert isinstance(yaml.safe_load(text), dict)


MISTAKES = {
    "unknown option": (["--stepps", "3"], "unrecognized arguments: --stepps"),
    "wrong type": (["--steps", "many"], '"steps".*many'),
    "unknown method": (["--transfer", "Magic"], "Magic"),
    "unknown target": (["--target", "Nowhere"], "Nowhere"),
    "option of another method": (["--transfer", "FineTune", "--transfer.layers", "2"], "'layers' is not accepted"),
    "no steps": (["--steps", "0"], "`steps` must be at least 1, or none. Received: 0"),
    "negative seed": (["--seed", "-1"], r"`seed` must be in \[0, 4294967295\]. Received: -1"),
    "unknown precision": (["--precision", "half"], "precision.*half"),
    "name": (["--name", "../x"], "`name` must start with a letter or digit"),
    "missing recipe": (["--config", "none.yaml"], "none.yaml"),
    "unknown loss": (["--optimization.loss", "mse"], "loss.*mse"),
    "unknown augmentation": (["--optimization.augment", "blur"], "`augment` must name translation"),
    "augmentations that do not mix": (["--optimization.augment", "ada,color"], "`augment` must .* be ada alone"),
    "ramp beyond the run": (
        ["--optimization.label_ramp", "[1,600]"],
        "`label_ramp` must end before step 600, the last",
    ),
    "strength of LeCam": (["--optimization.lecam", "some"], "lecam.*some"),
    "no patience": (["--patience", "0"], "`patience` must be at least 1, or none. Received: 0"),
    "too few samples": (["--samples", "9"], "`samples` must be at least 10. Received: 9"),
    "setting": (["--optimization.r1", "-2"], "`r1` must be at least 0, or none. Received: -2"),
    "endless setting": (
        ["--optimization.r1", ".inf"],
        r"`r1` must be at least 0 and below 2\*\*63, or none. Received: inf",
    ),
    "endless steps": (["--steps", "1" + "0" * 30], r"`steps` must be at least 1 and below 2\*\*63, or none. Received"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line_with_exit_code_2(name, capsys):
    arguments, message = MISTAKES[name]
    with pytest.raises(SystemExit) as stop:
        parse("adapt", *arguments)
    printed = capsys.readouterr().err
    assert stop.value.code == 2
    assert printed.count("\n") == 1 and printed.startswith("tfgantl adapt: error: ")
    assert re.search(message, printed), printed


KINDS = ["!!bool maybe", "!!int ''", "!!float ''", "!!timestamp '2001-99-99'"]


@pytest.mark.parametrize("value", KINDS)
def test_values_that_are_not_of_their_kind_are_told(value, tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text(f"steps: {value}\n")
    with pytest.raises(SystemExit) as stop:
        parse("adapt", "--config", str(tmp_path / "recipe.yaml"))
    assert stop.value.code == 2 and capsys.readouterr().err.count("\n") == 1


def test_recipes_have_no_numbers_to_base_60_or_8(tmp_path, capsys):
    """0100 steps were 64 in a recipe, and 100 on the command line."""
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("budget: 1:30\n")
    with pytest.raises(SystemExit):
        parse("adapt", "--config", str(recipe))
    assert "Received: 1:30" in capsys.readouterr().err
    recipe.write_text("steps: 0100\nvalidate_every: 010\n")
    config = parse("adapt", "--config", str(recipe), "--samples", "0090")
    assert (config.steps, config.validate_every, config.samples) == (100, 10, 90)


METHODS = ["{class_path: SHOT", "SHOT:repeats=[", "{}"]


@pytest.mark.parametrize("method", METHODS)
def test_methods_that_are_cut_off_are_told(method, capsys):
    with pytest.raises(SystemExit) as stop:
        parse("recognize", "--method", method)
    errors = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert stop.value.code == 2 and len(errors) == 1


def test_options_that_are_none_are_told(tmp_path, capsys):
    (tmp_path / "recipe.yaml").write_text("method: [finetune, {class_path: SHOT, init_args: [1]}]\n")
    with pytest.raises(SystemExit) as stop:
        parse("recognize", "--config", str(tmp_path / "recipe.yaml"))
    assert stop.value.code == 2 and "Traceback" not in capsys.readouterr().err


LONG = "a" * 300


@pytest.mark.parametrize("option", ["--config", "--source"])
def test_names_too_long_for_a_file_are_names_all_the_same(option, capsys):
    with pytest.raises(SystemExit) as stop:
        adapt.main([option, f"{{name: {LONG}}}" if option == "--config" else LONG, "--target", "Folder",
                    "--target.path", LONG])  # fmt: skip
        sys.exit(3)  # returned in place of raised
    told = capsys.readouterr().err
    assert stop.value.code in (2, 3) and told.count("\n") == 1 and "Traceback" not in told


def test_additive_methods_survive_the_written_configuration(tmp_path):
    options = ["--optimization.augment", "ada", "--optimization.lecam", "auto", "--optimization.label_ramp", "[10,20]"]
    config = parse("adapt", *options, "--patience", "3")
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    again = parse("adapt", "--config", str(tmp_path / "config.yaml"))
    assert again == config and config.optimization.label_ramp == (10, 20) and config.patience == 3
    assert config.optimization.lecam == "auto"
    assert parse("adapt", "--optimization.lecam", "0.5").optimization.lecam == 0.5


@pytest.mark.parametrize("how", [["--transfer", "freezed"], ["--transfer=FREEZED"]])
def test_the_case_of_a_class_does_not_matter(how):
    config = parse("adapt", *how)
    assert type(config.transfer).__name__ == "FreezeD" and "FreezeD" in to_yaml(config)


def test_methods_are_chosen_one_by_one_with_their_options():
    config = parse("recognize", "--method", "shot", "--method.consistency", "1", "--steps=3", "--method=MCD")
    assert config.method == [SHOT(consistency=1.0), MCD()] and config.steps == 3
    assert parse("recognize").method == [SHOT(), GANImages()]
    labeller = parse("recognize", "--method", "GANImages", "--method.labeller", "AdaBN", "--method.rounds", "2")
    assert labeller.method == [GANImages(labeller=AdaBN(), rounds=2)]
    assert parse("recognize", "--method", "[DANN, {class_path: MCD, init_args: {repeats: 2}}]").method == [
        DANN(), MCD(repeats=2),
    ]  # fmt: skip


def test_methods_of_a_recipe_give_way_to_those_of_the_command_line(tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("method:\n- DANN\n- class_path: MCD\n  init_args: {repeats: 2}\n")
    assert parse("recognize", "--config", str(recipe)).method == [DANN(), MCD(repeats=2)]
    assert parse("recognize", "--config", str(recipe), "--method", "SHOT").method == [SHOT()]


def test_a_method_of_another_package_is_named_by_its_import_path(tmp_path, monkeypatch):
    (tmp_path / "my_package.py").write_text(
        "from dataclasses import dataclass\n"
        "from tfgantl.recognition import Recognizer\n\n\n"
        "@dataclass(frozen=True)\n"
        "class MyMethod(Recognizer):\n"
        "    strength: float = 1.0\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    config = parse("recognize", "--method", "my_package.MyMethod", "--method.strength", "2", "--method", "SHOT")
    mine = config.method[0]
    assert type(mine).__name__ == "MyMethod" and mine.strength == 2.0 and config.method[1] == SHOT()
    (tmp_path / "config.yaml").write_text(to_yaml(config))
    assert parse("recognize", "--config", str(tmp_path / "config.yaml")) == config


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--method", "Sot"], "`method` must be one of .*SHOT, .*, or a full import path.* Sot"),
        (["--method", "SHOT,Sot"], "`method` must be one of .*SHOT, .*, or a full import path.* Sot"),
        (["--method", "MCD", "--method.repeat", "3"], "'repeat' is not accepted"),
        (["--method=MCD", "--method.repeats", "x"], '"repeats": Expected .*int.* x'),
        (["--method", "MCD:repeats=x"], '"repeats": Expected .*int.* x'),
        (["--method", "GANImages", "--method.labeller", "Shoot"], "labeller.* Shoot"),
        (["--method="], "`method` must name at least one of .*SHOT, .* Received: none"),
        (["--method"], "expected one argument"),
        (["--method", "SHOT", "--method", "SHOT"], "`method` must name each method once. Received: SHOT twice"),
    ],
)
def test_mistakes_in_methods_are_one_line(arguments, message, capsys):
    with pytest.raises(SystemExit) as stop:
        parse("recognize", *arguments)
    line = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2 and line.startswith("tfgantl recognize: error: ") and re.search(message, line), line


def test_options_may_have_hyphens_and_their_values_keep_them():
    config = parse("adapt", "--validate-every", "7", "--name=a-b", "--optimization.g-learning-rate=0.5")
    assert (config.validate_every, config.name, config.optimization.g_learning_rate) == (7, "a-b", 0.5)


def test_an_unknown_class_lists_the_known_ones(capsys):
    transfers = ", ".join(name for name in methods.__all__ if name != "Transfer")
    for option, known in (("--transfer", transfers), ("--target", "Arrays, Folder")):
        with pytest.raises(SystemExit):
            parse("adapt", option, "Magic")
        assert known in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["adapt", "pretrain"])
def test_options_of_networks_need_the_networks(verb, capsys):
    with pytest.raises(SystemExit):
        parse(verb, "--networks.filters=[8,6]")
    told = capsys.readouterr().err
    families = " or ".join(sorted(family.__name__ for family in FAMILIES))
    assert f"`--networks.filters` must come with --networks {families}." in told


def empty_folder(path):
    (path / "empty").mkdir()
    return ["--target", "Folder", "--target.path", str(path / "empty")]


def used_directory(path):
    (path / "run").mkdir()
    (path / "run" / "config.yaml").write_text("")
    return ["--run_dir", str(path / "run")]


FAILURES = {
    "unknown source": (lambda path: ["--source", "nowhere"], 4, "`source` must be a preset"),
    "empty folder": (empty_folder, 3, "must hold pictures"),
    "used run directory": (used_directory, 5, "`run_dir` must be new or empty"),
    "no file system": (
        lambda path: ["--run_dir", "/proc/none"],
        5,
        "`run_dir` must be a directory that can be written",
    ),
    "layers that are not there": (
        lambda path: ["--transfer", "FreezeD", "--transfer.layers", "9"],
        2,
        "the discriminator must have 9 blocks to freeze. Received: 2",
    ),
    "negative seed of the data": (lambda path: ["--target.seed", "-1"], 2, "`seed` must be in [0, 4294967295]"),
    "no export": (
        lambda path: ["--export_dir", "/dev/null/x"],
        5,
        "`export_dir` must be a directory",
    ),
    "unknown extractor": (
        lambda path: ["--extractor", "nope"],
        4,
        "`extractor` must be auto, inception, vgg16, digits",
    ),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_are_one_line_and_leave_nothing_half_written(name, tmp_path, monkeypatch, capsys):
    make, code, message = FAILURES[name]
    monkeypatch.chdir(tmp_path)
    arguments = make(tmp_path)
    before = {p for p in tmp_path.rglob("*")}
    assert adapt.main([*arguments, "--steps", "1"]) == code
    printed = capsys.readouterr()
    line = printed.err.splitlines()[-1]
    assert line.startswith("tfgantl adapt: error: ") and message in line, line
    assert "Traceback" not in printed.err and not printed.out
    assert {p for p in tmp_path.rglob("*")} == before


def test_a_recipe_may_change_a_setting_of_the_default_class(tmp_path):
    (tmp_path / "recipe.yaml").write_text("target: {init_args: {shots: 5}}\n")
    assert parse("adapt", "--config", str(tmp_path / "recipe.yaml")).target.shots == 5


@pytest.mark.parametrize("how", ["option", "class path", "recipe"])
def test_settings_of_the_default_class_do_not_go_over_to_another(how, tmp_path):
    """HandwrittenDigits gives 10 shots; a folder gives all its pictures."""
    (tmp_path / "recipe.yaml").write_text("target: {class_path: Folder, init_args: {path: x}}\n")
    choose = {
        "option": ["--target", "Folder", "--target.path", "x"],
        "class path": ["--target.class_path", "Folder", "--target.path", "x"],
        "recipe": ["--config", str(tmp_path / "recipe.yaml")],
    }
    config = parse("adapt", *choose[how])
    assert config.target == Folder("x")


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        ("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
            f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefg", "bcdefgh", strict=True)
        ), "a recipe must have at most 100000 values. Received: [0-9]{8}"),
        ("steps: &a [*a, 1]\n", "a recipe must have at most 100000 values"),
        ("steps: [" + "1," * 10**7 + "1]\n", "a recipe must have at most 100000 values. Received: more"),
        ("steps: " + "[" * 5000 + "]" * 5000, "a recipe must be nested less deeply"),
    ],
    ids=["aliases", "circle", "length", "depth"],
)  # fmt: skip
def test_recipes_that_would_not_fit_into_memory_are_refused(tmp_path, capsys, recipe, message):
    (tmp_path / "recipe.yaml").write_text(recipe)
    with pytest.raises(SystemExit) as ended:
        adapt.main(["--config", str(tmp_path / "recipe.yaml")])
    told = capsys.readouterr().err
    assert ended.value.code == 2 and re.search(message, told) and len(told) < 3000


def test_a_mistake_that_quotes_a_mass_of_values_is_cut(capsys):
    with pytest.raises(SystemExit):
        adapt.main(["--steps", f"[{', '.join(['1'] * 20_000)}]"])
    assert len(capsys.readouterr().err) < 3000


def test_the_console_script_finds_classes_in_the_working_directory(tmp_path):
    """As `python -m` does; but nothing there takes the place of a package."""
    (tmp_path / "my_methods.py").write_text(
        "from dataclasses import dataclass\nfrom tfgantl.transfer import FineTune\n\n\n"
        "@dataclass(frozen=True)\nclass Mine(FineTune):\n    rate: float = 0.5\n"
    )
    for name in ("yaml", "ruamel", "omegaconf", "argcomplete"):  # the last three are optional, and not there
        (tmp_path / f"{name}.py").write_text("raise SystemExit('taken for the package')")
    script = Path(sys.executable).with_name("tfgantl")
    command = [script, "adapt", "--transfer", "my_methods.Mine", "--transfer.rate", "0.25", "--print_config"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    recipe = yaml.safe_load(done.stdout)
    assert recipe["transfer"] == {"class_path": "my_methods.Mine", "init_args": {"rate": 0.25}}
    (tmp_path / "recipe.yaml").write_text(done.stdout)
    command = [script, "adapt", "--config", "recipe.yaml", "--print_config"]
    again = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert again.returncode == 0 and yaml.safe_load(again.stdout) == recipe, again.stderr


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("--transfer my_methods.Mine", {"my_methods"}), ("--transfer=a.B --transfer+=c.d.E", {"a", "c"}),
        ("--method.labeller a.B", {"a"}), ("--target.class_path a.B", {"a"}),
        ("--config r.yaml", {"mine", "other", "third"}),
        ("stylize --content org.jpg", set()), ("stylize org.jpg pandas.png -o cv2.png", set()),
        ("--source org.keras", set()), ("--target.path org.x", set()), ("--config other.yaml", set()),
    ],
)  # fmt: skip
def test_only_what_names_a_class_is_looked_for_in_the_working_directory(words, names, tmp_path, monkeypatch):
    """A picture's name looks like a module and a class, and a module of its name may lie beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "meta_path", [])
    (tmp_path / "org.keras").touch()
    (tmp_path / "r.yaml").write_text(
        "transfer:\n  class_path: mine.A\nmethod:\n- other.B\ntarget: third.C\nsource: org.keras\ncontent: org.jpg\n"
    )
    (tmp_path / "other.yaml").write_text("content: org.jpg\nstyles: a.jpg\noutput: cv2.png\n")
    find_own_modules(words.split())
    assert sys.meta_path[0].names == names


def test_looking_after_versions_needs_no_tensorflow(tmp_path):
    for number in "12":
        (tmp_path / "x" / number).mkdir(parents=True)
        (tmp_path / "x" / number / "saved_model.pb").touch()
    code = (
        "import sys; from tfgantl.pipelines.export import main\n"
        "assert main(['--list', 'x']) == 0 and main(['--rollback', 'x']) == 0\n"
        "assert not {'tensorflow', 'keras'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x" / "withdrawn-2").is_dir()


def test_an_interrupt_that_a_library_has_made_an_error_of_is_one(monkeypatch, capsys):
    """Within a call from C, as while TensorFlow traces, it becomes a SystemError."""

    def work(config):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            raise SystemError("bad argument to internal function") from error

    monkeypatch.setattr(cli, "quiet_tensorflow", lambda *_: None)
    assert cli.run(export.ExportConfig, "export", work, {}, ["--list", "x"]) == 130
    assert capsys.readouterr().err == "tfgantl export: error: interrupted\n"


@pytest.mark.parametrize("target", [["Folder", "pictures"], ["Arrays", "pictures.npz"]], ids=lambda words: words[0])
def test_data_that_are_not_there_are_told_before_tensorflow_is_imported(tmp_path, target):
    code = (
        "import sys; from tfgantl.pipelines.adapt import main\n"
        f"assert main(['--target', '{target[0]}', '--target.path', '{target[1]}']) == 3\n"
        "assert 'tensorflow' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and done.stderr.startswith(f"tfgantl adapt: error: {target[0]}: `path` must be")


def test_yaml_has_no_numbers_to_base_60_or_8():
    """Nobody means them, and their value takes quadratic time: 100 s for a file of 1 MiB."""
    start = time.perf_counter()
    found = load_yaml(f"a: 16:9\nb: 1_000\nc: 0x1f\nd: 1.5e+3\ne: .inf\nf: {'1:' * 50_000}1", "x")
    assert time.perf_counter() - start < 5
    assert found["a"] == "16:9" and isinstance(found["f"], str)
    assert load_yaml("[010, 0, -00, 0.5, 08, '010', +0_9, 0x10, 0b11]", "x") == [10, 0, 0, 0.5, 8, "010", 9, 16, 3]
    assert [found[key] for key in "bcde"] == [1000, 31, 1500.0, float("inf")]


NOBODY = {
    "a run": (adapt, ["--run_dir", "~nosuch/x"]),
    "a model": (generate, ["--model", "~nosuch/x"]),
    "pictures": (describe, ["~nosuch/x.png"]),
    "versions": (export, ["--list", "~nosuch/x"]),
}


@pytest.mark.parametrize(("verb", "arguments"), NOBODY.values(), ids=NOBODY)
def test_the_home_of_nobody_is_told(verb, arguments, capsys):
    """And that of a user who has none: the standard library ends in a traceback for both."""
    try:
        code = verb.main(arguments)
    except SystemExit as stop:
        code = stop.code
    told = capsys.readouterr().err
    assert code == 2 and "`~` must be a home that is known" in told.splitlines()[-1] and "Traceback" not in told


@pytest.mark.parametrize(
    ("recipe", "message"),
    [
        (
            "target.shots: 3\ntarget: HandwrittenDigits\n",
            "options of `target` must be within it. Received: target.shots",
        ),
        ("target: Folder\ntarget.path: x\n", "options of `target` must be within it. Received: target.path"),
        (
            "target:\n  class_path: HandwrittenDigits\n  init_args: {shots: 5}\n  dict_kwargs: {shots: 9}\n",
            "must be in one place. Received: shots in `init_args` and `dict_kwargs`",
        ),
    ],
    ids=["before", "behind", "twice"],
)
def test_options_of_a_recipe_stand_in_one_place(tmp_path, capsys, recipe, message):
    """The last of them won, and what came before was forgotten."""
    (tmp_path / "recipe.yaml").write_text(recipe)
    with pytest.raises(SystemExit) as end:
        cli.parse(adapt.AdaptConfig, "adapt", adapt.DEFAULTS, ["--config", str(tmp_path / "recipe.yaml")])
    assert end.value.code == 2 and message in capsys.readouterr().err
