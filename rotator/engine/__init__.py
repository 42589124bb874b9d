"""The engine: gathers facts, asks the domain to decide, acts through ports, and journals before it acts.

Law of this layer: it knows ports, never a vendor, a target kind or a metric. What it did, it says as events.
Start reading at `rotator.engine.rotate`.
"""
