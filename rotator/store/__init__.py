"""The daemon's memory: versions, rotations and deliveries, in SQLite or PostgreSQL.

Law of this layer: it stores and returns values and decides nothing. Secrets enter sealed and leave as `Secret`.
"""
