"""Metrics for Prometheus: what happened is counted from events, how things stand is read at each scrape.

Law of this package: labels are configuration ids and closed sets of words, never user names, repositories, paths, URLs,
addresses, texts of errors or fingerprints. A series that is absent says "unknown", +Inf says "never".
"""

from __future__ import annotations

from rotator.metrics.catalogue import CATALOGUE, Family
from rotator.metrics.facts import Build, Facts
from rotator.metrics.metrics import Metrics

__all__ = ["CATALOGUE", "Build", "Facts", "Family", "Metrics"]
