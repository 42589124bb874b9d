"""Looks at images as somebody who pulls them would: does it pull, with which login, and if not, why not.

Law of this layer: needs neither a daemon nor a configuration, and changes nothing anywhere. `probe` alone talks; the
rest is pure. Nothing that leaves it holds a secret.
"""
