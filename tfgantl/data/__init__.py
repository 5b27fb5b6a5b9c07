"""Data sources and the one pipeline that turns them into batches. Importing it imports no TensorFlow."""

from tfgantl.data.base import Source
from tfgantl.data.examples import SPLITS, Examples
from tfgantl.data.folder import Folder
from tfgantl.data.shards import ArrayRecords, HFDataset, Parquet, TFRecords, WebDataset
from tfgantl.data.sources import Arrays, HandwrittenDigits, RenderedDigits, Tfds

__all__ = [
    "SPLITS",
    "ArrayRecords",
    "Arrays",
    "Examples",
    "Folder",
    "HFDataset",
    "HandwrittenDigits",
    "Parquet",
    "RenderedDigits",
    "Source",
    "TFRecords",
    "Tfds",
    "WebDataset",
]
