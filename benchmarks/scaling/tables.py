"""What was measured, what the model makes of it, and what it predicts."""

import statistics

from benchmarks.scaling import IMAGES, Way
from benchmarks.scaling.cases import MEASURED, ON_GPUS, gradient_bytes, operations
from benchmarks.scaling.cost_model import Computing, StepModel, Wire, slowest

WORKERS = (8, 64, 256)
GPU_SPEED = 40e12  # operations a second: a third of the 120 that matrix units of common GPUs have in half precision
KERNEL = 6e-6  # seconds to start an operation on a GPU
NETWORKS = {
    "Ethernet, 10 Gbit/s": Wire(30e-6, 1.25e9),
    "InfiniBand, 200 Gbit/s": Wire(5e-6, 25e9),
    "NVLink in one machine": Wire(5e-6, 200e9),
}


def fitted(ways: dict[str, dict[str, Way]]) -> tuple[Wire, dict[str, StepModel]]:
    """Fits the wire to all sums over two workers, and the computing of each pair to its two sizes of batches."""
    sums = [turn for of_pair in ways.values() for turn in of_pair["two"].sums]
    wire = Wire.fitted({int(size): statistics.median(turn[size] for turn in sums) for size in sums[0]})
    models = {}
    for pair, of_pair in ways.items():
        one, double = of_pair["one"], of_pair["double"]
        computing = Computing.fitted({one.images: one.median, double.images: double.median})
        models[pair] = StepModel(
            computing, wire, of_pair["two"].sums_a_step, gradient_bytes(MEASURED[pair]()), tuple(one.seconds)
        )
    return wire, models


def measured_lines(ways: dict[str, dict[str, Way]], wire: Wire, models: dict[str, StepModel]) -> list[str]:
    """The table of what was measured, beside the model."""
    lines = [
        "A step on one worker of one thread and on two of them on this machine, in turns, medians in milliseconds. Two "
        "workers share a batch of 2 b, so they should take as long as one with b; a second thread for one worker is "
        "what competes with them.", "",
        "| | b | one worker, b | one, 2 b | one with two threads, 2 b | two workers, 2 b | by the model | sums a step "
        "| MB | faster than one, 2 b |", "|---|---|---|---|---|---|---|---|---|---|",
    ]  # fmt: skip
    for pair, model in models.items():
        one, double, threads, two = (ways[pair][name] for name in ("one", "double", "threads", "two"))
        lines.append(
            f"| {pair} | {one.images} | {one.median * 1e3:.0f} | {double.median * 1e3:.0f} | "
            f"{threads.median * 1e3:.0f} | {two.median * 1e3:.0f} | {model.seconds(2, one.images) * 1e3:.0f} | "
            f"{model.sums} | {model.size / 1e6:.1f} | {double.median / two.median:.2f} |"
        )
    return [
        *lines, "",
        "The model: T(n) = t(b) · w(n) + 2 k (n − 1) α + 2 (n − 1) / n · S / β, with t(b) = a + c · b for the "
        "computing of b images a worker, k sums of S bytes together over a ring of n workers, and w(n) for the wait "
        "for the slowest, drawn from the single steps that were timed. From sums of 1 KiB to 64 MiB over two workers: "
        f"α = {wire.latency * 1e3:.2f} ms, β = {wire.bandwidth / 1e9:.2f} GB/s (loopback; the same two cores do the "
        "sums, the copies and the computing). {_missed(ways, models)}", "",
    ]  # fmt: skip


def _missed(ways: dict[str, dict[str, Way]], models: dict[str, StepModel]) -> str:
    over = [ways[pair]["two"].median / model.seconds(2, ways[pair]["one"].images) for pair, model in models.items()]
    return (
        f"Two workers take {min(over):.1f} to {max(over):.1f} times as long as the model says: it leaves out that both "
        "compute on the same processor, whose second thread is worth less than a second processor."
    )


def predicted_lines(ways: dict[str, dict[str, Way]], models: dict[str, StepModel]) -> list[str]:
    """Tables of predicted efficiencies, with what they assume."""
    columns = "".join(f" {n} |" for n in WORKERS)
    lines = [
        "**Predicted, not measured**: images a second and worker over those of one worker, with b images on each. "
        "Machines like this one, of two cores, and 10 Gbit/s Ethernet of 30 µs a message:", "",
        f"| | b | wait for the slowest of {WORKERS[-1]} |{columns}", f"|---|---|---|{'---|' * len(WORKERS)}",
    ]  # fmt: skip
    for pair, model in models.items():
        there = StepModel(model.computing, NETWORKS["Ethernet, 10 Gbit/s"], model.sums, model.size, model.steps)
        wait = slowest(model.steps, WORKERS[-1]) / slowest(model.steps, 1)
        lines.append(f"| {pair} | {IMAGES[pair]} | {wait:.2f} |{_efficiencies(there, IMAGES[pair])}")
    lines += [
        "", f"GPUs, assumed to compute {GPU_SPEED / 1e12:.0f}·10¹² operations a second (a third of what their matrix "
        f"units do in half precision) and to start one of the graph in {KERNEL * 1e6:.0f} µs, with no wait for the "
        "slowest; gradients are sent as float32:", "",
        f"| | images a GPU | 10⁹ operations an image | MB | step (ms) | {' | '.join(NETWORKS)} |",
        f"|---|---|---|---|---|{'---|' * len(NETWORKS)}",
    ]  # fmt: skip
    for name, case in ON_GPUS.items():
        if case.like not in models:
            continue
        networks, like = case.build(), ways[case.like]["two"]
        flops, size = operations(networks), gradient_bytes(networks)
        computing = Computing(KERNEL * like.operations, flops / GPU_SPEED)
        cells = []
        for title, wire in NETWORKS.items():
            model = StepModel(computing, wire, like.sums_a_step, size)
            most = WORKERS[:1] if "one machine" in title else WORKERS
            cells.append(", ".join(f"{n}: {model.efficiency(n, case.images):.2f}" for n in most))
        lines.append(
            f"| {name} | {case.images} | {flops / 1e9:.1f} | {size / 1e6:.0f} | "
            f"{computing.seconds(case.images) * 1e3:.0f} | {' | '.join(cells)} |"
        )
    return [
        *lines, "",
        "What breaks first: for small networks the messages, whose number grows with that of workers (k sums of "
        "2 (n − 1) messages); for large ones on Ethernet the wire, since 2 S / β is longer than the step, whatever the "
        "number of workers. Both ask for more images a worker, as far as the noise scale below lets them be of use.",
        "",
    ]  # fmt: skip


def _efficiencies(model: StepModel, images: int) -> str:
    return "".join(f" {model.efficiency(n, images):.2f} |" for n in WORKERS)
