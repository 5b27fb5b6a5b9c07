"""Relation-based methods: the relations among the features of images are transferred."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from tfgantl.recognition.method import Recognizer

if TYPE_CHECKING:
    import keras

    from tfgantl.recognition.domain_classifier import DomainClassifier
    from tfgantl.recognition.method import Batch, Scalars
    from tfgantl.recognition.trainer import Trainer


@dataclass(frozen=True)
class RelationalDistillation(Recognizer):
    """Trains a new classifier whose features keep the pairwise distances and angles of the source's.

    Args:
        distance: Weight of the distances of pairs.
        angle: Weight of the angles of triples.
        triples: Images of a batch whose angles are compared, a cubic cost.

    Reference:
        Park et al., 2019, https://arxiv.org/abs/1904.05068
    """

    distance: float = 25.0
    angle: float = 50.0
    triples: int = 24

    family: ClassVar[str] = "relation"
    needs: ClassVar[tuple[str, ...]] = ("source",)

    def networks(self, model: "DomainClassifier", trainer: "Trainer") -> "dict[str, keras.Model]":
        from tfgantl.recognition.auxiliary_networks import frozen_copy

        return {"teacher": frozen_copy(trainer.source_model().features)}

    def losses(self, model: "DomainClassifier", batch: "Batch") -> "Scalars":
        from tfgantl.recognition.losses import relational_angle, relational_distance

        images = batch[next(name for name in ("unlabelled", "labelled", "source") if name in batch)][0]
        student, teacher = model.embed(images), model.auxiliary_networks["teacher"](images, training=False)
        few = slice(0, self.triples)
        return {
            "task": model.supervised(batch),
            "distance": self.distance * relational_distance(student, teacher),
            "angle": self.angle * relational_angle(student[few], teacher[few]),
        }


@dataclass(frozen=True)
class RelationPreserving(RelationalDistillation):
    """Fine-tunes the source classifier on labelled target images and preserves the relations of its features.

    Reference:
        Park et al., 2019, https://arxiv.org/abs/1904.05068
    """

    uses: ClassVar[tuple[str, ...]] = ("labelled", "unlabelled")
    needs: ClassVar[tuple[str, ...]] = ("source", "labelled")
    from_source: ClassVar[bool] = True
