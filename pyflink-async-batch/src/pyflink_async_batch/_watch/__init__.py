"""The command ``pyflink-async-batch``: what the async-batch operators of a cluster do, by its REST
interface alone. Runs where the user sits; nothing of a job imports it."""
