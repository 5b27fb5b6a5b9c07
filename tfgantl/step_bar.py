"""A bar of the steps of one `fit`, for trainings that are a part of something else."""

import keras

from tfgantl.progress import bar


class StepBar(keras.callbacks.Callback):
    """Shows the steps of a `fit` of one epoch.

    Args:
        title: What is trained.
    """

    def __init__(self, title: str):
        super().__init__()
        self.title = title

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self._bar = bar(self.params["steps"], self.title)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self._bar.update()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self._bar.close()
