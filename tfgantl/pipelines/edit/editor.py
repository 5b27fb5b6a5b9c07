"""What `tfgantl edit` does, for arrays."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from tfgantl.editing.class_switch import ClassSwitch
from tfgantl.editing.directions import Directions, moved
from tfgantl.editing.inversion import Inversion, InversionSettings, Inverter
from tfgantl.editing.observations import Observation
from tfgantl.editing.reconstruction import Reconstruction
from tfgantl.editing.restoration import Restoration, Restorer
from tfgantl.editing.walks import between
from tfgantl.errors import ArtifactError, DataError
from tfgantl.images import to_uint8, to_unit
from tfgantl.pipelines.edit.directions import kept_directions
from tfgantl.pipelines.edit.invert import InvertConfig
from tfgantl.pipelines.edit.model import EditedModel


class Editor:
    """Edits arrays of pictures with a generator.

    Pictures are uint8 (n, height, width, channels) of the size of the model; codes are float32 (n, *space.shape), and
    labels int (n,), or `None` for a model without classes.

    Args:
        model: Handle of the generator, as for `tfgantl.load_generator`; that of `tfgantl edit` if not given.
        **settings: Fields of `InvertConfig`, such as `space`, `networks`, `steps`, `restarts`, `encoder_steps`, `seed`.

    Attributes:
        space: The latent space.
        class_names: Name of each class, or `None`.

    Raises:
        ConfigError: If a setting is unknown, or not what is allowed.
        ArtifactError: If there is no such model.

    Example:
        >>> editor = tfgantl.Editor("rendered-digits", encoder_steps=0, steps=10)
        >>> codes = editor.sample(2, labels=[3, 5])
        >>> pictures = editor.images(codes, [3, 5])
        >>> found = editor.invert(pictures)
        >>> editor.switch(found.codes, found.labels, 7).shape
        (2, 28, 28, 1)
    """

    def __init__(self, model: str | None = None, **settings: Any) -> None:
        from tfgantl.pipelines.keywords import configure

        handle = {} if model is None else {"model": str(model)}
        self._config = configure(InvertConfig, "edit", {**handle, **settings})
        self._model = EditedModel(self._config)
        self.space, self.class_names = self._model.space, self._model.class_names
        self._inverter: Inverter | None = None
        self._switch: ClassSwitch | None = None

    def sample(self, count: int, labels: Sequence[int] | np.ndarray | None = None, seed: int = 0) -> np.ndarray:
        """Codes of random noise; of all classes in turn if no labels are given."""
        return self.space.sample(count, self._labels(labels, count), seed)

    def images(self, codes: np.ndarray, labels: Sequence[int] | np.ndarray | None = None) -> np.ndarray:
        """Pictures of codes."""
        return to_uint8(self.space.images(codes, self._labels(labels, len(codes))))

    def invert(self, pictures: np.ndarray, labels: Sequence[int] | np.ndarray | None = None) -> Inversion:
        """Codes of pictures, with their classes and losses; the encoder is trained when it is first needed.

        Raises:
            DataError: If pictures have another shape than images of the model.
        """
        images = self._checked(pictures)
        if self._inverter is None:
            encoder = self._model.encoder(self._config.encoder_steps, self._config.seed)
            self._inverter = Inverter(self.space, self.reconstruction, self._settings, encoder)
        return self._inverter(images, self._known(labels, len(images)))

    def switch(self, codes: np.ndarray, labels: Sequence[int] | np.ndarray, to: int, share: float = 1.0) -> np.ndarray:
        """Pictures of codes as another class, or on the way to it.

        Raises:
            ConfigError: If the model has no classes.
        """
        self._switch = self._switch or ClassSwitch(self.space)
        return to_uint8(self._switch(codes, labels, to, share))

    @property
    def directions(self) -> Directions:
        """Directions that `tfgantl edit find` has left beside the model.

        Raises:
            ArtifactError: If there are none, or they are those of another model.
        """
        kept = kept_directions(self._model)
        if kept is None:
            raise ArtifactError(
                f"the model must have directions: tfgantl edit find --model {self._model.handle}. Received: none"
            )
        return kept

    def move(self, codes: np.ndarray, direction: str, by: float | np.ndarray) -> np.ndarray:
        """Codes that are moved along a direction, by a number of standard deviations of codes, or numbers (n,)."""
        return moved(self.space, codes, self.directions[direction], by)

    def mix(self, first: np.ndarray, last: np.ndarray, shares: Sequence[float]) -> np.ndarray:
        """Codes (len(shares), …) on the way from one code to another."""
        return between(self.space, first, last, shares)

    def restore(
        self,
        pictures: np.ndarray,
        observation: Observation,
        answers: int = 4,
        labels: Sequence[int] | np.ndarray | None = None,
    ) -> Restoration:
        """Images that would look like damaged pictures, were they damaged as these are.

        Args:
            pictures: uint8 (n, height, width, channels), in the size of the model.
            observation: How they are damaged, of `tfgantl.editing.observations`.
            answers: Images for each picture.
            labels: Classes, if they are known.

        Raises:
            DataError: If pictures have another shape than images of the model, or labels are no classes of it.
        """
        images, known = self._checked(pictures), self._known(labels, len(pictures))
        restorer = Restorer(self.space, observation, self._settings, answers)
        return restorer(images, known)

    @property
    def reconstruction(self) -> Reconstruction:
        """What pictures are compared by."""
        return self._model.reconstruction

    @property
    def _settings(self) -> InversionSettings:
        config = self._config
        return InversionSettings(config.steps, config.restarts, config.rate, config.seed)

    def _known(self, labels: Sequence[int] | np.ndarray | None, count: int) -> np.ndarray | None:
        return None if labels is None else self._labels(labels, count)

    def _checked(self, pictures: np.ndarray) -> np.ndarray:
        if pictures.dtype != np.uint8 or pictures.shape[1:] != self.space.image_shape:
            raise DataError(
                f"`pictures` must be uint8 (n, {', '.join(map(str, self.space.image_shape))}). "
                f"Received: {pictures.dtype} {pictures.shape}"
            )
        return to_unit(pictures)

    def _labels(self, labels: Sequence[int] | np.ndarray | None, count: int) -> np.ndarray | None:
        if self.space.num_classes is not None:
            return self.space.labels(count) if labels is None else self.space.checked(labels, count)
        if labels is not None:
            raise DataError("`labels` must be left out for a model without classes. Received: some")
        return None
