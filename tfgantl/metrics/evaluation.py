"""All numbers of one generator, on held-out images, in one place."""

from dataclasses import dataclass

import numpy as np

from tfgantl.metrics.classification import SmallClassifier, accuracy, affine_augmentation
from tfgantl.metrics.distances import frechet_distance, neighbourhoods, subset_kernel_distances
from tfgantl.metrics.diversity import intra_cluster_distance
from tfgantl.metrics.extractors import Extractor
from tfgantl.metrics.memorisation import nearest, neighbour_ratio
from tfgantl.random_streams import Stream

SUBSETS = 50
NEIGHBOURS = 5
CLUSTER = 50


@dataclass(frozen=True)
class Evaluation:
    """Numbers, and the images and features they were made from.

    Args:
        metrics: Name → value, or `None` where labels would be needed.
        protocol: Name → all parameters of the number in `metrics`, in words.
        images: uint8 (n, side, side, channels), the generated images.
        labels: int (n,) they were asked for with, or `None`.
        features: float (n, d).
        nearest_train: Index (n,) of the training image nearest to each.
        diversity: Name → value of how the images spread around the training images.
        diversity_protocol: The same for `diversity`.
    """

    metrics: dict[str, float | None]
    protocol: dict[str, str]
    images: np.ndarray
    labels: np.ndarray | None
    features: np.ndarray
    nearest_train: np.ndarray
    diversity: dict[str, float | None]
    diversity_protocol: dict[str, str]


def labels_like(test_labels: np.ndarray | None, count: int, seed: int) -> np.ndarray | None:
    """Labels (count,) to generate images for, with the shares that classes have among the test images, mixed."""
    if test_labels is None:
        return None
    return np.resize(Stream.LABELS.generator(seed).permutation(test_labels), count)


class Evaluator:
    """Measures generators of one target domain.

    Args:
        extractor: Where features and predicted classes come from.
        train: Images uint8 and labels of the training shots.
        test: Images uint8 and labels that no training and no selection saw.
        num_classes: Number of classes, or `None`.
        seed: Chooses subsets and the initial weights of classifiers.
        classifier_steps: Steps of 64 images that each classifier is trained for.
    """

    def __init__(
        self, extractor: Extractor, train, test, num_classes: int | None, seed: int = 0, classifier_steps: int = 500
    ):
        self.extractor, self.num_classes, self.seed = extractor, num_classes, seed
        self.classifier_steps = classifier_steps
        self._classifier = SmallClassifier(*train[0].shape[2:], num_classes, classifier_steps) if num_classes else None
        self.train_images, self.train_labels = train
        self.test_images, self.test_labels = test
        self.train_features, _ = extractor(self.train_images)
        self.test_features, _ = extractor(self.test_images)

    def classifier_accuracy(self, images, labels, title: str, augment=None) -> float:
        """Accuracy on the test images of the small CNN, trained on the given ones."""
        model = self._classifier.train(images, labels, self.seed, augment=augment, title=title)
        return accuracy(model, self.test_images, self.test_labels)

    def usefulness(self, generated: Evaluation) -> dict[str, float]:
        """Do generated images help a classifier of the target?

        Returns:
            Test accuracy after training on the training images alone, and on these and the generated images, about
            half of each batch from either; each without and with random shifts, turns and zooms.
        """
        count = max(len(generated.images), len(self.train_images))
        real, fake = (np.resize(np.arange(len(x)), count) for x in (self.train_images, generated.images))
        both = np.concatenate([self.train_images[real], generated.images[fake]])
        both_labels = np.concatenate([self.train_labels[real], generated.labels[fake]])
        result = {}
        for suffix, augment in (("", None), (" augmented", affine_augmentation(self.seed))):
            alone = (self.train_images, self.train_labels)
            result[f"real{suffix}"] = self.classifier_accuracy(*alone, f"classifier: real{suffix}", augment)
            title = f"classifier: real + generated{suffix}"
            result[f"real + generated{suffix}"] = self.classifier_accuracy(both, both_labels, title, augment)
        return result

    def __call__(self, images: np.ndarray, labels: np.ndarray | None, title: str = "generated") -> Evaluation:
        """Measures generated images.

        Args:
            images: uint8 (n, side, side, channels), at least as many as test images.
            labels: int (n,) they were asked for with, or `None`.
            title: What the images are, for progress.
        """
        features, predicted = self.extractor(images)
        real, n = self.test_features, len(self.test_features)
        known = None if labels is None else self.test_labels
        distances = subset_kernel_distances(real, [features], SUBSETS, self.seed, known, labels)[0]
        near = neighbourhoods(real, features[:n], min(NEIGHBOURS, n - 1))
        judged = labels is not None and self.extractor.predicts_labels
        metrics = {
            "ckid": float(distances.mean()),
            "ckid_sd": float(distances.std()),
            "cfid": frechet_distance(real, features),
            **near,
            "gan_train": self.classifier_accuracy(images, labels, f"classifier: {title}")
            if labels is not None
            else None,
            "gan_test": float((predicted == labels).mean()) if judged else None,
            "nn_ratio": neighbour_ratio(features, self.train_features, real),
        }
        who = f"extractor {self.extractor.id}"
        sets = f"{len(images)} generated, {n} test images"
        neighbours = f"k = {min(NEIGHBOURS, n - 1)}, {min(n, len(images))} generated, {n} test images, {who}"
        weighted = "classes weighted by their share, " if labels is not None else ""
        protocol = {
            "ckid": f"mean of {SUBSETS} random subsets (half of each class, at most 1,000 images), {weighted}"
            f"unbiased, cubic kernel; {sets}, {who}",
            "ckid_sd": f"standard deviation over the {SUBSETS} subsets",
            "cfid": f"{sets}, {who}",
            **dict.fromkeys(near, neighbours),
            "gan_train": f"small CNN, {self.classifier_steps} steps of 64 on {len(images)} generated, "
            f"not augmented, seed {self.seed}; {n} test images",
            "gan_test": f"share of {len(images)} generated images that {who} takes for their label",
            "nn_ratio": f"median distance to {len(self.train_features)} training images, generated over test; {who}",
        }
        _, nearest_train = nearest(features, self.train_features)
        return Evaluation(metrics, protocol, images, labels, features, nearest_train, *self.diversity(features))

    def diversity(self, features: np.ndarray) -> tuple[dict[str, float | None], dict[str, str]]:
        """How generated images spread around the training images, and the parameters of that in words."""
        found, real = (
            intra_cluster_distance(x, self.train_features, CLUSTER, self.seed) for x in (features, self.test_features)
        )
        sets = f"{len(features)} generated images by nearest of {found.shots} training images, {self.extractor.id}"
        distance = "none" if real.distance is None else f"{real.distance:.4f}"
        return {
            "intra_cluster": found.distance,
            "clusters": found.filled / found.shots,
            "largest_cluster": found.largest,
        }, {
            "intra_cluster": f"mean distance within clusters of at least 2, at most {CLUSTER} images of each, "
            f"seed {self.seed}; {sets}; the {len(self.test_features)} test images have {distance}",
            "clusters": f"{found.filled} clusters are not empty, of {found.shots}; the test images fill {real.filled}",
            "largest_cluster": f"share of the images; the test images have {real.largest:.4f}",
        }
