"""Relation-based methods: what is kept is how images lie to each other."""

from dataclasses import dataclass
from typing import ClassVar

from tfgantl.recognition.method import Recognizer


@dataclass(frozen=True)
class RelationalDistillation(Recognizer):
    """Trains a fresh classifier whose features of target images lie to each other as those of the source's do.

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

    def networks(self, problem, model):
        from tfgantl.recognition.methods.adversarial import copied

        return {"teacher": copied(problem.source_model().features)}

    def losses(self, model, batch):

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
    """Fine-tunes the classifier of the source on labelled target images, and keeps their relations.

    Reference:
        Park et al., 2019, https://arxiv.org/abs/1904.05068
    """

    uses: ClassVar[tuple[str, ...]] = ("labelled", "unlabelled")
    needs: ClassVar[tuple[str, ...]] = ("source", "labelled")
    from_source: ClassVar[bool] = True
