"""The report of a comparison of recognition methods."""

import io

import numpy as np
from matplotlib.figure import Figure

from tfgantl.configuration import to_yaml
from tfgantl.images import to_unit
from tfgantl.models.inference import predict
from tfgantl.recognition.comparison import SOURCE_ONLY, TARGET_ONLY, Domains, row_name
from tfgantl.recognition.summary import Summary, percent, spread
from tfgantl.report import Report, sheet

SHOWN = 400  # images of each domain in a picture of embeddings


def recognition_report(config, domains: Domains, outcome: Summary) -> Report:
    """Puts together the report of a comparison.

    Args:
        config: The `RecognizeConfig`.
        domains: Source and target.
        outcome: What came of it.
    """
    best = outcome.best
    row = best.job.row
    before = outcome.by_row[SOURCE_ONLY][0].classifier
    pictures = {
        "Embeddings before, by the classifier of the source: source o, target x, a colour a class": (
            embedding(before, domains)
        ),
        f"The same after, by {row}": embedding(best.classifier, domains),
    }
    if outcome.labels is not None:
        for name in (SOURCE_ONLY, row):
            pictures[f"Confusion, {name}: true class down, predicted class across"] = confusion(outcome.confusion(name))
    preserved = []
    for name, results in outcome.by_row.items():
        made = results[0].generated
        if made is None:
            continue
        share = outcome.preserved(results[0])
        told = "" if share is None else f"; the oracle sees the wanted class in {percent(share)}"
        order = np.argsort(made[1][:100], kind="stable")
        pictures[f"Images made by {name}, sorted by the class that they should show{told}"] = sheet(
            made[0][:100][order]
        )
        preserved.append((name, f"{len(made[0])} images", percent(share)))
    summary = [f"Setting: {outcome.settings}. States and the best method were chosen by {config.selection}."]
    if outcome.verdict is None:
        summary.insert(0, f"{row} was chosen; the target has no labels, so nothing was judged.")
    else:
        summary.insert(0, f"{row} against {outcome.reference(row)}: {outcome.verdict}.")
    table = [("", "accuracy ± sd over seeds", "recovered gap", "seconds", f"score ({config.selection})")]
    for name, entry in outcome.rows.items():
        table.append(
            (name, spread(entry), percent(entry["recovered"]), f"{entry['seconds']:.1f}", f"{entry['score']:.3f}")
        )
    return Report(
        title=f"{config.source.name} → {config.name or config.target.name}: recognition",
        summary=summary,
        pictures=pictures,
        tables={
            "Accuracy on test images of the target": table,
            "Transfer: difference of accuracies, 95 % interval over images and seeds": gaps(outcome),
            "Label preservation of generated images, as the oracle sees them": preserved,
            "What methods say": [
                (name, key, value)
                for name, results in outcome.by_row.items()
                for key, value in results[0].notes.items()
            ],
            "Data": [
                (side, split, f"{part.size or 'endless'} images", f"fingerprint {part.fingerprint}", *part.notes)
                for side, parts in (("source", domains.source), ("target", domains.target))
                for split, part in parts.items()
            ],
        },
        config=to_yaml(config),
    )


def gaps(outcome: Summary) -> list[tuple]:
    """Rows on every method against source-only and, with labels, target-only."""
    if outcome.labels is None:
        return []
    rows = []
    for name, results in outcome.by_row.items():
        if name in outcome.baselines:
            continue
        labels = results[0].job.labels
        for baseline in outcome.baselines:
            if baseline == SOURCE_ONLY or (labels and baseline == row_name(TARGET_ONLY, labels)):
                rows.append((name, f"against {baseline}", str(outcome.gap(name, baseline))))
    return rows


def embedding(classifier, domains: Domains) -> bytes:
    """Features of both domains in two dimensions (t-SNE), as PNG."""
    import keras
    from sklearn.manifold import TSNE

    parts = [domains.source["validation"].subset(SHOWN), domains.target["test"].subset(SHOWN)]
    features = keras.Model(classifier.inputs[0], classifier.layers[-2].output)  # what the head sees
    found = [predict(features, to_unit(images)) for images, _ in parts]
    together = np.concatenate(found)
    flat = TSNE(perplexity=min(30, len(together) // 4), init="pca", random_state=0).fit_transform(together)
    figure = Figure(figsize=(5, 4.2), layout="constrained")
    axis = figure.subplots()
    start = 0
    for (_, labels), marker in zip(parts, "ox", strict=True):
        count = len(parts[0][0]) if start == 0 else len(parts[1][0])
        points = flat[start : start + count]
        colors = {"color": "gray"} if labels is None else {"c": labels, "cmap": "tab10"}
        axis.scatter(points[:, 0], points[:, 1], s=12, marker=marker, linewidths=0.8, alpha=0.7, **colors)
        start += count
    axis.set_xticks([])
    axis.set_yticks([])
    return _png(figure)


def confusion(counts: np.ndarray) -> bytes:
    """A confusion matrix as PNG: shares of each true class, in percent."""
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    if len(counts) <= 20:
        for (i, j), share in np.ndenumerate(shares):
            if share >= 0.005:
                color = "white" if share > 0.5 else "black"
                axis.text(j, i, f"{100 * share:.0f}", ha="center", va="center", color=color, fontsize=7)
        axis.set_xticks(range(len(counts)))
        axis.set_yticks(range(len(counts)))
    return _png(figure)


def _png(figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()
