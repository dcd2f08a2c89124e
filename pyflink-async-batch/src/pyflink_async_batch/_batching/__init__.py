"""
Makes batches of what several callers ask for. Knows nothing of functions, tensors or transports,
and is used wherever one function serves more than one caller.
"""
