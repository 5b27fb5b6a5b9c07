"""Competitors answer in turns, and the table has a ratio for each."""

import sys
from pathlib import Path

import pytest

from benchmarks.speed import __main__ as speed
from benchmarks.speed import growth, reading
from benchmarks.speed.pairs import SHAPES, keras_networks, networks
from benchmarks.speed.workers import Worker, race
from tfgantl.errors import RunError


def shapes(pair):
    return [[tuple(w.shape) for w in network.weights] for network in pair]


@pytest.mark.parametrize("pair", SHAPES)
def test_both_pairs_have_the_same_weights(pair):
    assert shapes(networks(pair, "float32", batch_norm=True)) == shapes(keras_networks(pair, "float32"))


def test_workers_take_steps_in_turns_and_say_what_they_are(tmp_path):
    """A worker in place of the real ones, whose tutorial networks take a while to trace."""
    program = tmp_path / "worker.py"
    program.write_text(
        "import json, sys\n"
        "if sys.argv[1] == 'broken': sys.exit(3)\n"
        "print(json.dumps({'version': sys.argv[1]}), flush=True)\n"
        "for line in sys.stdin: print(json.dumps({'seconds': int(line) * float(sys.argv[2])}), flush=True)\n"
    )
    commands = {"tfgantl, float32": ["a", "0.5"], "PyTorch, float32": ["b", "1.0"], "PyTorch, broken": ["broken"]}
    *workers, broken = [Worker(name, some, sys.executable, script=program) for name, some in commands.items()]
    race(workers, rounds=3, steps=4)
    assert [worker.seconds for worker in workers] == [[0.5] * 3, [1.0] * 3] and workers[0].version == "a"
    with pytest.raises(RunError, match="PyTorch, broken: every competitor must answer. Received: exit code 3"):
        race([broken], rounds=1, steps=1)
    pace = {worker.name: 64 / worker.median for worker in workers}
    table = speed._table("classic28", "plain", pace, work=1e9, peaks={"float32": 256e9})
    assert "| tfgantl, float32 | 128.0 | 2.00 | 50% |" in table and "| PyTorch, float32 | 64.0 | 1.00 | 25% |" in table


def measured(power):
    """What every case of the growth gives if time grows with this power of its value, and memory not at all."""
    cases = {
        name: {str(value): {"seconds": 0.001 * value**power, "peak_mib": 700.0} for value in sweep}
        for name, sweep in growth.SWEEPS.items()
    }
    one = {"seconds": 0.2, "peak_mib": 800.0}
    long = {"10000": {**one, "resident_mib": {"2000": 700.0, "10000": 701.0}}}
    return {**cases, "method": {"EWC": one}, "steps": long, "pipeline": {"adapt": one}}


def test_growth_is_told_by_its_power_and_drawn(tmp_path):
    found = measured(1.5)
    exponents = {name: growth.fitted(found[name]) for name in growth.SWEEPS}
    assert all(abs(one["seconds"] - 1.5) < 1e-6 and abs(one["peak_mib"]) < 1e-6 for one in exponents.values())
    lines = growth._lines(found, exponents)
    assert "| side in pixels | 1.50 | 0.00 |" in [line.replace("-0.00", "0.00") for line in lines]
    assert "| 64 | 512.0 | 700 |" in lines and "| EWC | 200.0 | 800 |" in lines
    assert "Resident memory of a long training of an MLP, MiB: 700 after 2000, 701 after 10000 steps." in lines
    growth._draw(found, exponents, tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 1000


def test_growth_is_measured_once_and_told_when_it_fails(tmp_path, monkeypatch):
    asked, fail = [], RunError("no")

    def answer(case, from_shards, directory):
        asked.append((case, from_shards))
        if case.method == "EWC":
            raise fail
        return {"seconds": 0.1, "peak_mib": 700.0, "resident_mib": {}}

    monkeypatch.setattr(growth, "_case", answer)
    for _ in range(2):
        with pytest.raises(RunError, match="no"):
            growth.measure_growth(tmp_path / "kept", tmp_path / "page.md")
    done = len(list((tmp_path / "kept").iterdir()))
    assert len(asked) == done + 2 and asked[-1][0].method == "EWC"  # what was done was there the second time
    assert {case.images for case, from_shards in asked if from_shards} == set(growth.SWEEPS["images"])
    case = growth.Case(steps=0)
    with pytest.raises(RunError, match="must end with exit code 0. Received: 1"):
        monkeypatch.undo()
        monkeypatch.setattr(growth.sys, "executable", "false")
        growth._case(case, False, tmp_path)


def test_readers_are_compared_by_passes():
    pace = {"first": 20.04, "next": 1234.6}
    assert "| 4 | DataLoader | 20.0 | 1235 |" in reading._lines({"4": {"DataLoader": pace}})


def test_the_side_of_pytorch_imports_nothing_of_this_package():
    source = (Path(speed.__file__).with_name("torch_step.py")).read_text()
    assert "tfgantl" not in source and "keras" not in source.split('"""', 2)[2]
