"""README and docs say what is: tables, trees, links and the reference are those of the code."""

import ast
import configparser
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import tfgantl
from tfgantl import transfer
from tfgantl.models import FAMILIES
from tfgantl.recognition import METHODS

CLONE = Path(__file__).parent.parent
PACKAGE = Path(tfgantl.__file__).parent
PAGES = [CLONE / "README.md", CLONE / "CONTRIBUTING.md", *sorted((CLONE / "docs").glob("*.md"))]


def load_tables():
    spec = importlib.util.spec_from_file_location("tables", CLONE / "docs" / "tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", load_tables().PAGES)
def test_tables_of_methods_are_up_to_date(name):
    page = (CLONE / name).read_text()
    assert page == load_tables().filled(page), "run: python docs/tables.py"


def test_every_method_is_in_a_table_and_has_its_paragraph():
    page = (CLONE / "docs" / "methods.md").read_text()
    first, _, second = page.partition("\n# Recognition methods\n")
    paragraphs = [
        {name for bold in re.findall(r"\*\*(.+?)\*\*", part) for name in bold.split(", ")} for part in (first, second)
    ]
    assert set(transfer.__all__) - {"Transfer", "Scratch"} <= paragraphs[0]
    methods = {name for name, method in METHODS.items() if method.family != "baseline"}
    assert methods <= paragraphs[1]


def test_the_tree_in_the_documentation_is_the_tree_on_disk():
    page = (CLONE / "docs" / "architecture.md").read_text()
    section = page.partition("## Where things are")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`tfgantl/([\w/.]+?)/?`", row)}
    here = {path.name for path in PACKAGE.iterdir() if path.name not in ("__init__.py", "__pycache__")}
    assert {name for name in named if "/" not in name} == here
    for name in named:
        assert (PACKAGE / name).exists(), name
    folders = {path.name for path in CLONE.iterdir() if path.is_dir() and not path.name.startswith(".")}
    outside = {name for row in rows for name in re.findall(r"`(\w+)/`", row)}
    assert outside <= folders and {"benchmarks", "docs", "pipelines", "tests"} <= outside


def metadata():
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(CLONE / "setup.cfg")
    return parser


def requirements(text):
    return {
        re.match(r"[\w.-]+", line)[0].lower() for line in text.splitlines() if line.strip() and not line.startswith("%")
    }


def test_the_table_of_dependencies_is_complete():
    page = (CLONE / "docs" / "architecture.md").read_text()
    section = page.partition("## Dependencies")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ([a-z].+?) \| .+ \|$", section, re.MULTILINE)[1:]
    named = {}
    for row in rows:
        extra = re.search(r"\(extra `(\w+)`\)", row)
        names = re.sub(r"\([^)]*\)", "", row)
        named.setdefault(extra[1] if extra else "", set()).update(re.findall(r"[\w.-]+", names.lower()))
    known = metadata()
    assert named.pop("") == requirements(known["options"]["install_requires"])
    extras = {name: requirements(text) for name, text in known["options.extras_require"].items()}
    others = set().union(*(names for name, names in extras.items() if name != "dev"))
    assert named.pop("dev") == extras.pop("dev") - others
    assert named == extras


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text()):
        if not re.match(r"\w+://", target):
            assert (page.parent / target).exists(), target


def test_every_public_module_is_in_the_reference():
    named = {
        name
        for page in (CLONE / "docs" / "api").glob("*.md")
        for name in re.findall(r"^::: (\S+)$", page.read_text(), re.MULTILINE)
    }
    users_import = [*(getattr(tfgantl, name) for name in tfgantl.__all__), *METHODS.values()]
    users_import += [getattr(transfer, name) for name in transfer.__all__]
    modules = {known.__module__ for known in users_import if hasattr(known, "__module__")}
    modules |= {path.partition(":")[0] for family in FAMILIES for path in family.classes}
    assert modules <= named, f"docs/api/ must show {sorted(modules - named)}: run python docs/tables.py, or add a line"
    packages = {f"tfgantl.{path.parent.name}" for path in PACKAGE.glob("*/__init__.py")}
    inner = {"tfgantl.pipelines", "tfgantl.untrusted", "tfgantl.serving", "tfgantl.penalties"}
    assert packages - inner <= {".".join(name.split(".")[:2]) for name in named}
    for name in named:
        module = PACKAGE.parent / Path(*name.split("."))
        assert module.with_suffix(".py").is_file() or (module / "__init__.py").is_file() or _defines(name), name


def _defines(name):
    module, _, attribute = name.rpartition(".")
    path = PACKAGE.parent / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return path.is_file() and attribute in {getattr(node, "name", None) for node in ast.parse(path.read_text()).body}


@pytest.mark.skipif(importlib.util.find_spec("zensical") is None, reason="needs the extra docs")
def test_the_documentation_builds_without_a_warning():
    done = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=CLONE, capture_output=True, text=True, timeout=120
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0 and "No issues found" in said and "griffe:" not in said, said[-2000:]


def test_extras_that_pages_install_are_there():
    known = metadata()["options.extras_require"]
    for page in PAGES:
        for extras in re.findall(r"pip install .*?\[([\w,]+)\]", page.read_text()):
            assert set(extras.split(",")) <= set(known), page.name
