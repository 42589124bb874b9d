"""``rotator doctor``: whether what the daemon needs is there, whether it has more than it needs, and how to mend both.

Law of this layer: nothing is changed anywhere, nothing is issued, no pull is spent, no secret is shown. It works beside
a running daemon and where none can start: what one check cannot find out keeps no other from its answer. Each family is
one module: small pure functions decide, one coroutine asks. What was not seen is `Level.UNKNOWN`, never `Level.OK`.
"""
