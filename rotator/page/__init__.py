"""The status page: what the daemon knows, as HTML for a person who was woken up.

Law of this layer: it decides how things are said, never how they are. Deciding what is shown is pure (`needs`,
`timeline`, `matrix`, ...) and is given values; `gather` alone asks the daemon, `routes` and `acts` alone answer, and
the templates repeat what they are given. Nothing here has a place for a secret or a fingerprint.
"""
