"""The demo: the real daemon against the bundled sandbox, with lifetimes of seconds instead of hours.

Law of this layer: it arranges the outside world and narrates; the daemon it runs is the one that everybody runs.
"""
