"""Prints the class path on which Java jobs run here: the jars of PyFlink, and the wheel's own."""

import pathlib

import pyflink
import pyflink_async_batch

print(
    ":".join(
        [
            f"{pathlib.Path(pyflink.__file__).parent}/lib/*",
            f"{pathlib.Path(pyflink_async_batch.__file__).parent}/lib/*",
        ]
    )
)
