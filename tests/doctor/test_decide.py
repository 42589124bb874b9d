"""What each check decides of what it saw, and how it says to mend it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from rotator.config.root import Config
from rotator.doctor.aws import judge_identity as judge_aws
from rotator.doctor.files import Seen, Wanted, judge_file, judge_parent, wanted_files
from rotator.doctor.finding import Finding, Level, of_error
from rotator.doctor.kubernetes import judge_excess, judge_missing
from rotator.doctor.peers import Server, judge_answer, judge_certificate, judge_skew
from rotator.doctor.process import Identity, judge_identity
from rotator.doctor.state import judge_keys, judge_names, judge_sight
from rotator.doctor.vault import judge_capabilities, judge_token
from rotator.errors import ConfigError, PermissionDeniedError, UnavailableError
from rotator.store.look import Age, Sight
from rotator.transport import Peer

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC)
KEY = Wanted(Path("/x/key"), "the seal key", 0o077)
REGISTRY = Server("registry", "hub", "https://hub/v2/", Peer("registry"))
VAULT = Server("vault", "v", "https://v/v1/sys/health", Peer("vault"))


def skew(by: timedelta) -> Finding:
    """Return what is said when a server's clock shows ``by`` more than ours."""
    return judge_skew("hub", {"Date": format_datetime(NOW + by, usegmt=True)}, NOW, NOW)


ROWS = [
    pytest.param(judge_file(KEY, Seen(0o600)), Level.OK, "", id="private file"),
    pytest.param(judge_file(KEY, Seen(0o644)), Level.FAIL, "Run chmod 0600 /x/key", id="file for everybody"),
    pytest.param(judge_file(KEY, Seen(None)), Level.FAIL, "Put it there", id="no file"),
    pytest.param(judge_file(KEY, Seen(None, "Permission denied")), Level.UNKNOWN, "daemon's user", id="hidden file"),
    pytest.param(judge_file(KEY, Seen(0o600, is_readable=False)), Level.UNKNOWN, "daemon's user", id="another's file"),
    pytest.param(judge_file(Wanted(Path("/s"), "s", 0o77, is_made=True), Seen(None)), Level.OK, "", id="made later"),
    pytest.param(judge_parent(Path("/d"), Seen(0o700), 1), Level.OK, "", id="own directory"),
    pytest.param(
        judge_parent(Path("/d"), Seen(0o777), 1), Level.FAIL, "Run chmod o-w /d", id="directory for everybody"
    ),
    pytest.param(judge_parent(Path("/d"), Seen(0o755), 0), Level.FAIL, "daemon's user", id="another's directory"),
    pytest.param(judge_parent(Path("/d"), Seen(None), 0), Level.FAIL, "install -d -m 0700 /d", id="no directory"),
    pytest.param(judge_identity(Identity(0, frozenset()))[0], Level.WARN, "a user of its own", id="root"),
    pytest.param(judge_identity(Identity(7, frozenset()))[1], Level.OK, "", id="mere user"),
    pytest.param(judge_identity(Identity(7, frozenset({"docker"})))[1], Level.WARN, "Take the user out", id="docker"),
    pytest.param(judge_token({"data": {"policies": ["pull"]}}), Level.OK, "", id="token"),
    pytest.param(judge_token({"data": {"policies": ["root"]}}), Level.WARN, "revoke this token", id="root token"),
    pytest.param(judge_capabilities("kv/a", ["read"], written=False), Level.OK, "", id="may read"),
    pytest.param(judge_capabilities("kv/a", ["deny"], written=False), Level.FAIL, 'path "kv/a"', id="may not read"),
    pytest.param(judge_capabilities("kv/a", ["read", "update"], written=False), Level.WARN, "Leave in", id="may write"),
    pytest.param(judge_capabilities("kv/a", ["read", "update"], written=True), Level.OK, "", id="must write"),
    pytest.param(judge_capabilities("kv/a", None, written=False), Level.UNKNOWN, "capabilities-self", id="not told"),
    pytest.param(judge_answer(REGISTRY, 401), Level.OK, "", id="registry"),
    pytest.param(judge_answer(REGISTRY, 404), Level.FAIL, "host is right", id="no registry"),
    pytest.param(judge_answer(VAULT, 503), Level.FAIL, "whoever runs it", id="sealed"),
    pytest.param(judge_certificate("hub", NOW + timedelta(days=60), NOW), Level.OK, "", id="long certificate"),
    pytest.param(judge_certificate("hub", NOW + timedelta(days=3), NOW), Level.WARN, "renew", id="ending certificate"),
    pytest.param(judge_certificate("hub", None, NOW), Level.UNKNOWN, "verified", id="unseen certificate"),
    pytest.param(skew(timedelta()), Level.OK, "", id="same time"),
    pytest.param(skew(timedelta(minutes=5)), Level.FAIL, "set-ntp", id="behind"),
    pytest.param(skew(timedelta(minutes=-5)), Level.FAIL, "set-ntp", id="ahead"),
    pytest.param(judge_skew("hub", {}, NOW, NOW), Level.UNKNOWN, "another server", id="no time told"),
    pytest.param(judge_skew("hub", {"Date": "yesterday"}, NOW, NOW), Level.UNKNOWN, "another", id="no such time"),
    pytest.param(judge_missing("prod", [])[0], Level.OK, "", id="all rights"),
    pytest.param(judge_missing("prod", ["web: patch"])[0], Level.FAIL, "Add to its role: web: patch", id="lacks one"),
    pytest.param(judge_excess("prod", []), Level.OK, "", id="no more rights"),
    pytest.param(judge_excess("prod", ["list secrets"]), Level.WARN, "shipped roles", id="more rights"),
    pytest.param(judge_aws("ecr", "arn:aws:iam::1:user/r")[0], Level.OK, "", id="aws user"),
    pytest.param(judge_aws("ecr", "arn:aws:iam::1:user/r")[1], Level.UNKNOWN, "deploy/aws", id="aws rights"),
    pytest.param(judge_aws("ecr", "arn:aws:iam::1:root")[0], Level.WARN, "Delete the root", id="aws root"),
    pytest.param(judge_aws("ecr", "")[0], Level.UNKNOWN, "sts_endpoint_url", id="aws nobody"),
    pytest.param(judge_sight("s", Sight(Age.NONE)), Level.OK, "", id="empty state"),
    pytest.param(judge_sight("s", Sight(Age.CURRENT, holder="rotator on here")), Level.OK, "", id="state in use"),
    pytest.param(judge_sight("s", Sight(Age.OLDER)), Level.OK, "", id="older state"),
    pytest.param(judge_sight("s", Sight(Age.NEWER)), Level.FAIL, "Run that version", id="newer state"),
    pytest.param(judge_sight("s", Sight(Age.FOREIGN)), Level.WARN, "store.url", id="foreign database"),
    pytest.param(judge_keys("k", 2, Sight(Age.CURRENT, sealed=5, opened=5)), Level.OK, "", id="keys that fit"),
    pytest.param(judge_keys("k", 1, None), Level.OK, "", id="keys of an unread state"),
    pytest.param(judge_keys("k", 1, Sight(Age.CURRENT, 5, 4)), Level.FAIL, "Put the old key back", id="lost key"),
    pytest.param(of_error("f", "a", PermissionDeniedError("no", hint="Ask")), Level.FAIL, "Ask", id="refused"),
    pytest.param(of_error("f", "a", UnavailableError("down")), Level.UNKNOWN, "in a minute", id="out of reach"),
    pytest.param(of_error("f", "a", ConfigError(["bad"]), "Mend"), Level.FAIL, "Mend", id="wrong setting"),
]


@pytest.mark.parametrize(("finding", "level", "mend"), ROWS)
def test_each_state_has_its_level_and_its_mending(finding: Finding, level: Level, mend: str) -> None:
    """What is well is ok and needs nothing; everything else says how to mend it."""
    assert finding.level is level
    assert mend in finding.mend
    assert bool(finding.mend) == (level is not Level.OK)
    assert finding.text


def test_which_clock_is_ahead_is_said() -> None:
    """A server that shows an earlier time than ours makes our clock the one that is ahead."""
    assert "our clock is 300 s behind" in skew(timedelta(minutes=5)).text
    assert "our clock is 299 s ahead of" in skew(timedelta(minutes=-5)).text


def test_how_many_secrets_open_is_said() -> None:
    """Some, none, one and all are put in words; who has a database open is named."""
    texts = [judge_keys("k", 1, Sight(Age.CURRENT, *two)).text for two in ((5, 4), (5, 0), (1, 1), (2, 2))]
    assert texts == [
        "1 seal key can be read, but opens only 4 of 5 secrets in the state",
        "1 seal key can be read, but opens none of 5 secrets in the state",
        "1 seal key can be read; the secret in the state can be opened",
        "1 seal key can be read; all 2 secrets in the state can be opened",
    ]
    assert judge_sight("s", Sight(Age.CURRENT, holder="rotator on here")).text.endswith("; rotator on here has it open")


def test_what_is_kept_under_a_name_that_nobody_has_is_said() -> None:
    """Versions of a credential that is configured, or was renamed, or that have expired, are no worry; others are."""
    past, future = NOW - timedelta(hours=1), NOW + timedelta(hours=1)
    sight = Sight(Age.CURRENT, kept={"ecr": [None], "was": [None], "gone": [past, future, None], "dead": [past]})
    (found,) = judge_names("s", sight, {"ecr", "was"}, NOW)
    assert (found.level, found.text) == (
        Level.WARN,
        "2 versions of gone may still work, and no credential has that name",
    )
    assert found.mend == "If it was renamed, write formerly: gone at its new name; otherwise end them at the vendor"


def test_what_systemd_hands_over_is_well() -> None:
    """A seal key and a token file among a service's credentials may be read by its group, as the daemon allows it."""
    config = Config.model_validate(
        {
            "version": 1,
            "store": {"url": "sqlite:////s/state.db", "seal_key_file": "/run/credentials/rotator.service/seal.key"},
            "admin": {"socket": "/s/admin.sock", "tokens_file": "/run/credentials/rotator.service/tokens"},
        }
    )
    handed = [one for one in wanted_files(config, Path("/x.yaml")) if one.path.is_relative_to("/run/credentials")]
    assert [judge_file(one, Seen(0o440)).level for one in handed] == [Level.OK, Level.OK]
    assert [judge_file(one, Seen(0o460)).level for one in handed] == [Level.FAIL, Level.FAIL]
