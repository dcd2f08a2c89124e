"""
What runs in a worker process: the entry point that the operator starts, the batch channel, and the
event loop that runs the user's coroutines. Never imported by a client.
"""
