"""Configuration: pydantic models, one file per section, and the loader that says file and line in every error.

Law of this layer: no network, no state; loading the same files twice gives equal models.
"""
