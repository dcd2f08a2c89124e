"""Runs a server: ``python -m pyflink_async_batch.sidecar --help``."""

from pyflink_async_batch.sidecar._command_line import main

if __name__ == "__main__":
    main()
