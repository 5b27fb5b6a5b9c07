"""Data sources and the one pipeline that turns them into batches. Importing it imports no TensorFlow."""

from tfgantl.data.base import Source
from tfgantl.data.examples import SPLITS, Examples
from tfgantl.data.folder import Folder
from tfgantl.data.sources import Arrays, HandwrittenDigits, RenderedDigits, Tfds

__all__ = ["SPLITS", "Arrays", "Examples", "Folder", "HandwrittenDigits", "RenderedDigits", "Source", "Tfds"]
