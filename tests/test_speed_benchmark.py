"""Competitors answer in turns, and the table has a ratio for each."""

import sys
from pathlib import Path

import pytest

from benchmarks.speed import __main__ as speed
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


def test_the_side_of_pytorch_imports_nothing_of_this_package():
    source = (Path(speed.__file__).with_name("torch_step.py")).read_text()
    assert "tfgantl" not in source and "keras" not in source.split('"""', 2)[2]
