"""What is released: the changelog, the metadata, and what a wheel and a source distribution hold."""

import configparser
import os
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

import tfgantl

CLONE = Path(__file__).parent.parent
CHANGES = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]
MOST_BYTES = 4 * 2**20
MOST_BYTES_OF_TEXT = 2_000_000  # of the presets that `describe` and `imagine` take, beside all else
MOST_BYTES_OF_PHRASES = 1_000_000  # of the one that paints by a phrase, beside these


def test_the_changelog_keeps_the_form_of_keep_a_changelog():
    page = (CLONE / "CHANGELOG.md").read_text()
    versions = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert versions[0] == "[Unreleased]"
    dates = [re.fullmatch(r"\[(\d+\.\d+\.\d+)\] - (\d{4}-\d\d-\d\d)", version) for version in versions[1:]]
    assert all(dates) and sorted((d[2] for d in dates), reverse=True) == [d[2] for d in dates]
    assert dates[0][1] == tfgantl.__version__, "the newest version of the changelog is that of the package"
    for part in re.split(r"^## .*$", page, flags=re.MULTILINE)[1:]:
        kinds = re.findall(r"^### (.+)$", part, re.MULTILINE)
        assert kinds == [kind for kind in CHANGES if kind in kinds], kinds


def test_the_metadata_names_what_is_there():
    metadata = configparser.ConfigParser(interpolation=None)
    metadata.read(CLONE / "setup.cfg")
    assert (CLONE / metadata["metadata"]["license_files"]).is_file()
    assert metadata["metadata"]["version"] == "attr: tfgantl.__version__"
    python = metadata["options"]["python_requires"].removeprefix(">=")
    assert f"Programming Language :: Python :: {python}" in metadata["metadata"]["classifiers"]
    assert "://" not in metadata["metadata"].get("project_urls", "")


@pytest.fixture
def built():
    """The directory with a wheel and a source distribution, which CI builds before the tests."""
    if "TFGANTL_DIST" not in os.environ:
        pytest.skip("TFGANTL_DIST must name a directory that `python -m build --outdir` has filled")
    return Path(os.environ["TFGANTL_DIST"])


def test_a_wheel_holds_the_package_and_nothing_else(built):
    (wheel,) = built.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == {"tfgantl", f"tfgantl-{tfgantl.__version__}.dist-info"}
    packed = {i.filename: i.compress_size for i in zipfile.ZipFile(wheel).infolist()}
    text = sum(size for name, size in packed.items() if name.startswith("tfgantl/presets/text/"))
    phrases = sum(size for name, size in packed.items() if name.startswith("tfgantl/presets/text/stylize/"))
    assert phrases <= MOST_BYTES_OF_PHRASES and text - phrases <= MOST_BYTES_OF_TEXT
    assert wheel.stat().st_size - text <= MOST_BYTES
    for path in (CLONE / "tfgantl").rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            assert str(path.relative_to(CLONE)) in names


def test_a_source_distribution_holds_what_its_tests_need(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        members = {member.name.partition("/")[2]: member for member in opened.getmembers()}
    for path in ("tests/conftest.py", "tests/golden/signatures.json", "tests/faults/test_resume.py", "docs/tables.py",
                 "pipelines/adapt_digits.yaml", "benchmarks/pairs.py", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE",
                 "README.md", "pyproject.toml", "setup.cfg", "zensical.toml"):  # fmt: skip
        assert path in members, path
    # Tests import the benchmarks through a link, which an archive must not make point outside of it.
    assert members["tests/benchmarks/pairs.py"].isfile()
    assert not any(member.issym() or member.islnk() for member in members.values())
