"""How people, scripts and Prometheus reach the running daemon: a JSON API, probes, and the servers that carry them.

Nothing here decides anything about credentials: it asks the application through `rotator.admin.surface` and renders
the answer. No answer holds a secret, and no GET changes anything.
"""
