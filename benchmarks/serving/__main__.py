"""Measures the exported graph and the development server, for docs/benchmarks.md.

`python -m benchmarks.serving`. All times are taken in one run, on a machine that does nothing else.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.tables import machine, replace_part
from tfgantl.cli import run as run_cli
from tfgantl.errors import check_at_least, check_seed

HEADING = "# Serving"
MAX_BODY = 2**20  # bytes of a request


@dataclass(frozen=True)
class ServingBenchmarkConfig:
    """Settings of the benchmark of serving.

    Args:
        model: Handle of the generator; it must have classes.
        extractor: Handle of the extractor whose classifier is served, too.
        seconds: Time of each measurement of throughput.
        requests: Good and malformed requests, in random order, to each of the two models.
        seed: Which of them comes when.
        report: Page whose part on serving is replaced.
        json: Print the result as the last line, one JSON object.
    """

    model: str = "rendered-digits"
    extractor: str = "digits"
    seconds: float = 10.0
    requests: int = 10_000
    seed: int = 0
    report: str = "docs/benchmarks.md"
    json: bool = False

    def __post_init__(self) -> None:
        check_at_least(self, 1, "seconds", "requests")
        check_seed("seed", self.seed)


def benchmark_serving(config: ServingBenchmarkConfig) -> dict:
    """Exports, serves, measures, and writes the tables.

    Args:
        config: The settings.

    Returns:
        What `--json` prints.

    Raises:
        RunError: If the server does not start, or a single answer is not what it must be.
    """
    from functools import partial

    from benchmarks.serving import mistakes, mixed
    from benchmarks.serving.served import Served
    from benchmarks.serving.swap import swap_under_load
    from benchmarks.serving.throughput import SIGNATURES, measure_graph, measure_keras, measure_server
    from tfgantl.export.image_signatures import classifier_signatures
    from tfgantl.export.publish import publish
    from tfgantl.metrics.extractors import Extractor
    from tfgantl.pretrained import load_generator
    from tfgantl.progress import bar

    generator, extractor = load_generator(config.model), Extractor.load(config.extractor)
    limit = ("--max_body", str(MAX_BODY))
    with tempfile.TemporaryDirectory() as temporary:
        directory, judge = Path(temporary) / "model", Path(temporary) / "judge"
        publish(generator, directory)
        publish(extractor.classifier, judge, partial(classifier_signatures, features=extractor.features))
        with bar(2 + len(SIGNATURES), "throughput", "measurement") as progress:
            predict = measure_keras(generator, config.seconds)
            progress.update()
            graph = measure_graph(generator, directory / "1", config.seconds)
            progress.update()
            with Served(directory, *limit) as served:
                load = {}
                for name in SIGNATURES:
                    load[name] = measure_server(served, generator, name, config.seconds)
                    load[name]["share"] = load[name]["images_per_second"] / max(graph[name].values())
                    progress.update()
        refused = mistakes.of_addresses("model") | mistakes.of_generator(
            "model", generator.num_classes, generator.inputs[0].shape[-1], MAX_BODY
        )
        with Served(directory, *limit) as served:
            answers = {"generator": mixed.ask_mixed(
                served, mixed.about_generator(generator), refused, config.requests, config.seed
            )}  # fmt: skip
            swapped = swap_under_load(served, generator, directory)
        questions = mixed.about_classifier(extractor.classifier, extractor.features)
        with Served(judge, *limit) as served:
            answers["classifier"] = mixed.ask_mixed(
                served, questions, mistakes.of_classifier("judge"), config.requests, config.seed
            )
    result = {"predict": predict, "graph": graph, "load": load, "mixed": answers, "swap": swapped}
    replace_part(Path(config.report), HEADING, _page(config, result))
    return result


def _page(config, result):
    predict, graph, load = result["predict"], result["graph"], result["load"]
    columns = list(next(iter(graph.values())))
    default = graph["serving_default"]
    lines = [
        HEADING, "", "Regenerate with `python -m benchmarks.serving`.", "",
        f"`{config.model}`; {machine()} All in one run; the clients run on the same cores as the server.", "",
        "Images/s by rows a batch; `2 × 128` is two callers at one time.", "",
        "| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns),
        _row("`keras_model.predict`, 16 batches a call", [predict.get(name) for name in columns]),
        *(_row(f"exported `{name}`", rates.values()) for name, rates in graph.items()),
        _row(
            "exported `serving_default` / Keras",
            [default[name] / predict[name] if name in predict else None for name in columns], "{:.2f}",
        ),
        "", "The development server, 16 clients that each ask for 16 images at a time; share is that of the best of "
        "the graph alone, and times are those within which 50 % and 99 % are answered:", "",
        "| | images/s | share | 50 % | 99 % | cores of the server | cores of the clients |", "|---|" + "---|" * 6,
    ]  # fmt: skip
    for name, found in load.items():
        lines.append(
            f"| `{name}` | {found['images_per_second']:,.0f} | {found['share']:.0%} | {found['p50_ms']:.0f} ms "
            f"| {found['p99_ms']:.0f} ms | {found['server_cores']:.2f} | {found['client_cores']:.2f} |"
        )
    lines.append("")
    for name, found in result["mixed"].items():
        counts = ", ".join(f"{count:,} × {status}" for status, count in found["statuses"].items())
        first, second = found["growth_mb"]
        lines += [
            f"{config.requests:,} requests to a {name} in random order, 16 at a time: half are good, three tenths "
            f"wrong in one of {found['mistakes']} ways, the rest good but for one byte. {counts}. Every answer was "
            "what the Keras model gives, or the refusal that the rules name; any other would have ended the benchmark. "
            f"The memory of the server grew by {first:.1f} MiB in the first half, by {second:.1f} MiB in the second.",
            "",
        ]  # fmt: skip
    swapped = f"{result['swap']:,} requests, none failed."
    return [*lines, f"A version published and withdrawn under load of eight clients: {swapped}", ""]


def _row(title, values, form="{:,.0f}"):
    return f"| {title} | " + " | ".join("" if value is None else form.format(value) for value in values) + " |"


def main(arguments: list[str] | None = None) -> int:
    """Runs the command line, and returns the exit code."""
    return run_cli(ServingBenchmarkConfig, "python -m benchmarks.serving", benchmark_serving, {}, arguments)


if __name__ == "__main__":
    sys.exit(main())
