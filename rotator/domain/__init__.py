"""Values and pure functions: what the daemon knows and decides.

Law of this layer: no I/O, no clock, no randomness, no logging. Time and chance come in as arguments.
"""
