"""The version of this distribution."""

from importlib import metadata

try:
    __version__ = metadata.version("pyflink-async-batch")
except metadata.PackageNotFoundError:  # A source tree, or files that were shipped without metadata.
    __version__ = "0+unknown"
