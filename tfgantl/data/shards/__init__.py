"""Shards: files with many pictures each, on this machine or in a bucket. Importing it imports no TensorFlow."""

from tfgantl.data.shards.sources import ArrayRecords, HFDataset, Parquet, TFRecords, WebDataset

__all__ = ["ArrayRecords", "HFDataset", "Parquet", "TFRecords", "WebDataset"]
