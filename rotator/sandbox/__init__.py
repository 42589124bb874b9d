"""Small real servers on loopback that behave as the vendors document, for the demo and the tests.

Law of this layer: a server here speaks HTTP and nothing else; it imports nothing of the daemon but its errors, its
domain and its ports. What it does not imitate, it refuses loudly instead of guessing.
"""
