"""The model of what more workers bring finds again what it is made of, and the benchmark writes its part of a page."""

import numpy as np
import pytest

from benchmarks.scaling import IMAGES, PART, ScalingBenchmarkConfig, Way, benchmark_scaling
from benchmarks.scaling.cases import MEASURED, gradient_bytes, operations
from benchmarks.scaling.cost_model import Computing, StepModel, Wire, slowest
from benchmarks.scaling.noise import noise_scale
from tfgantl.models import MLP


def test_the_wire_and_the_computing_are_found_from_what_they_make():
    wire = Wire(2e-3, 5e8)
    again = Wire.fitted({size: wire.seconds(2, 1, size) for size in (10**3, 10**6, 10**8)})
    assert again.latency == pytest.approx(wire.latency) and again.bandwidth == pytest.approx(wire.bandwidth)
    computing = Computing.fitted({8: 0.1 + 0.8, 16: 0.1 + 1.6})
    assert (computing.fixed, computing.per_image) == (pytest.approx(0.1), pytest.approx(0.1))


def test_efficiency_falls_with_workers_and_is_what_the_terms_add_up_to():
    model = StepModel(Computing(0.1, 0.05), Wire(1e-3, 1e9), sums=10, size=4e8)
    assert model.efficiency(1, 8) == 1.0
    # 0.5 s to compute, 10 sums of 2 messages of 1 ms each, and 0.4 GB over a wire of 1 GB/s.
    assert model.seconds(2, 8) == pytest.approx(0.5 + 10 * 2 * 1e-3 + 0.4)
    found = [model.efficiency(n, 8) for n in (2, 8, 64, 256)]
    assert found == sorted(found, reverse=True)
    waiting = StepModel(model.computing, model.wire, 10, 4e8, steps=(0.5, 0.5, 0.5, 1.0))
    assert waiting.seconds(2, 8) > model.seconds(2, 8)
    assert slowest([1.0, 1.0, 1.0, 2.0], 256) == pytest.approx(2.0, abs=0.01)


def test_the_noise_scale_is_that_of_known_gradients():
    rng = np.random.default_rng(0)
    mean, spread = np.full(200, 0.5), 3.0  # of single images: tr Σ = 200 · 9, |G|² = 200 / 4
    rows = mean + rng.normal(0, spread / np.sqrt(16), (2000, 200))
    assert noise_scale(rows, 16) == pytest.approx(36, rel=0.05)
    assert noise_scale(np.array([[1.0], [-1.0]]), 1) == float("inf")  # no mean


def test_costs_of_a_pair_are_those_of_its_matrices():
    generator, discriminator = MLP(latent_dim=4, units=8).build(8, 1, None)
    kernels = [sum(w.shape.num_elements() for w in n.weights if len(w.shape) == 2) for n in (generator, discriminator)]
    counted = operations((generator, discriminator))
    assert counted == pytest.approx(3 * 2 * kernels[0] + 8 * 2 * kernels[1], rel=0.2)  # and biases, and activations
    weights = sum(w.shape.num_elements() for n in (generator, discriminator) for w in n.trainable_variables)
    assert gradient_bytes((generator, discriminator)) == 4 * weights


def test_the_benchmark_writes_its_part_and_keeps_the_rest(tmp_path, monkeypatch):
    def take(way, pair, steps):
        way.seconds += [0.01 * way.images / way.workers] * steps
        way.sums += [{"1024": 1e-3, "1048576": 3e-3}] if way.workers > 1 else []
        way.sums_a_step, way.operations = 12, 700

    monkeypatch.setattr(Way, "take", take)
    monkeypatch.setitem(MEASURED, "DCGAN, 28 px", lambda: MLP(latent_dim=4, units=8).build(8, 1, None))
    monkeypatch.setattr("benchmarks.scaling.noise.noise_lines", lambda count: ["noise", ""])
    page = tmp_path / "page.md"
    page.write_text("# Scale\n\nkept\n")
    result = benchmark_scaling(ScalingBenchmarkConfig(pairs=("DCGAN, 28 px",), steps=2, report=str(page)))
    images = IMAGES["DCGAN, 28 px"]
    assert result["DCGAN, 28 px"]["two"] == pytest.approx(0.01 * images)
    text = page.read_text()
    assert (
        text.startswith("# Scale\n\nkept\n")
        and PART in text
        and "| 12 |" in text
        and "python -m benchmarks.scaling" in text
    )
