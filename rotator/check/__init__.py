"""Looks at images as somebody who pulls them would: does it pull, with which login, and if not, why not.

Law of this layer: needs neither a daemon nor a configuration, changes nothing anywhere, and mints nothing. `probe` and
`read` ask registries, `configured` asks sources; the rest is pure. Nothing that leaves it holds a secret.
"""
