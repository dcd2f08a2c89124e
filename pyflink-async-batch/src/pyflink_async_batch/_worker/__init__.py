"""
What runs where the user's function does, in a worker process or in the interpreter of a JVM: the
entry points, the ways of the batches, and the event loop that runs the user's coroutines. Never
imported by a client.
"""
