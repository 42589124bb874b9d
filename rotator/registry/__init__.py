"""The OCI distribution protocol, as far as proving a login needs it.

Law of this layer: `client` alone talks, and only through `rotator.transport`; `verify` asks it; the rest is pure. What
an answer means stands in one table, in `diagnose`. A login's password goes to the registry's own host or to a pinned
token server, to nobody else. A verdict that blames the login needs the registry's own word for it: whatever else an
answer may be, it only means that nothing can be told. Response bodies are searched for an error code and known phrases,
and then dropped; only a manifest that was asked for is kept.
"""
