"""What happens between a user's call and the Java transformation that it adds to the job graph.

Everything here runs in the client process, while the job graph is built.
"""
