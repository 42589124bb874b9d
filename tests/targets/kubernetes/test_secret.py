"""The Secret is built, edited and read without losing what is not ours."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.model import Entry, Login
from rotator.errors import ShapeError
from rotator.secret import Secret
from rotator.targets.kubernetes import KubernetesConfig
from rotator.targets.kubernetes.secret import held_in, is_ours, logins_in, marks_in, merged, render

CONFIG = KubernetesConfig(type="kubernetes", namespaces=["web"], secret="regcred")
TEXT = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=40)
HOSTS = ["ghcr.io", "docker.io", "quay.io", "r.example:5000"]


def entries_of(passwords: list[str]) -> list[Entry]:
    """Return an entry per password, each for its own registry."""
    return [
        Entry(f"c{number}", HOSTS[number], Login("robot", Secret(password)), number + 1, f"f{number}")
        for number, password in enumerate(passwords)
    ]


def holding(document: object, **metadata: Any) -> dict[str, Any]:
    """Return a Secret that holds ``document``."""
    value = base64.b64encode(json.dumps(document).encode()).decode()
    return {"metadata": metadata, "type": CONFIG.shape.type, "data": {".dockerconfigjson": value, "k": "djE="}}


@settings(deadline=None, max_examples=50)
@given(st.lists(TEXT, min_size=1, max_size=4))
def test_rendered_is_read_back(passwords: list[str]) -> None:
    """What is rendered is what is read back: logins, generations and fingerprints."""
    entries = entries_of(passwords)
    rendered = render(CONFIG, entries)
    body = json.loads(rendered.body)
    assert (
        held_in(CONFIG, body, entries, "web/regcred") == dict(rendered.held) == {e.credential: e.login for e in entries}
    )
    assert marks_in(body) == rendered.marks


@settings(deadline=None, max_examples=50)
@given(
    st.lists(TEXT, min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["a.io", "b.io"]), st.just({"auth": "eDp5"})),
)
def test_merging_keeps_and_settles(passwords: list[str], others: dict[str, Any]) -> None:
    """Merging keeps every other registry, key and annotation, and a second time there is nothing to do."""
    entries = entries_of(passwords)
    secret = holding({"auths": others, "x": 1}, annotations={"a": "b"}, resourceVersion="7")
    body = merged(CONFIG, secret, entries, "web/regcred")
    assert body is not None
    after = json.loads(body)
    document = json.loads(base64.b64decode(after["data"][".dockerconfigjson"]))
    assert {key: document["auths"][key] for key in others} == others
    assert (document["x"], after["data"]["k"], after["metadata"]["annotations"]["a"]) == (1, "djE=", "b")
    assert after["metadata"]["resourceVersion"] == "7"
    assert merged(CONFIG, after, entries, "web/regcred") is None


def test_body_at_a_version() -> None:
    """The precondition is put into the body without rendering it again."""
    rendered = render(CONFIG, entries_of(["p"]))
    body = json.loads(rendered.body_at('7"'))
    assert body["metadata"].pop("resourceVersion") == '7"'
    assert body == json.loads(rendered.body)


def test_secret_is_in_no_representation() -> None:
    """A rendering does not print what it holds."""
    rendered = render(CONFIG, entries_of(["canary-5d1f0c77ab93"]))
    assert "canary" not in repr(rendered)
    assert rendered.data[".dockerconfigjson"] not in repr(rendered)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("%%%", id="not base64"),
        pytest.param("/w==", id="not UTF-8"),
        pytest.param(7, id="a number"),
        pytest.param(base64.b64encode(b"{").decode(), id="not JSON"),
        pytest.param(base64.b64encode(b"[]").decode(), id="a list"),
        pytest.param(base64.b64encode(b'{"auths": []}').decode(), id="auths is a list"),
    ],
)
def test_unreadable_content(value: object) -> None:
    """Content that cannot be read is refused with its place."""
    with pytest.raises(ShapeError, match="web/regcred"):
        logins_in(CONFIG, {"data": {".dockerconfigjson": value}}, entries_of(["p"]), "web/regcred")


@pytest.mark.parametrize(
    "annotations",
    [
        pytest.param(None, id="none"),
        pytest.param({"rotator.dev/generations": "{"}, id="not JSON"),
        pytest.param({"rotator.dev/generations": "[1]"}, id="a list"),
        pytest.param({"rotator.dev/generations": '{"a": "7", "b": true}'}, id="no integers"),
    ],
)
def test_unreadable_marks(annotations: object) -> None:
    """Marks that cannot be read count as absent."""
    assert marks_in({"metadata": {"annotations": annotations}}) == {}


@pytest.mark.parametrize(
    ("managers", "ours"),
    [
        pytest.param([{"manager": "rotator", "operation": "Apply"}], True, id="applied by us"),
        pytest.param([{"manager": "rotator", "operation": "Update"}], False, id="merged by us"),
        pytest.param([{"manager": "helm", "operation": "Apply"}], False, id="others"),
        pytest.param(None, False, id="nobody"),
        pytest.param(["x"], False, id="garbage"),
    ],
)
def test_is_ours(managers: object, *, ours: bool) -> None:
    """A Secret is ours when we once applied it as a whole."""
    assert is_ours({"metadata": {"managedFields": managers}}) is ours
