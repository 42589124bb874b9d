"""Keeps container-registry credentials fresh, proven and present wherever images are pulled."""

__version__ = "0.1.0"
