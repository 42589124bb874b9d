"""Image references mean here what they mean to docker."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.reference import Reference, api_host, is_repository_path, parse, registry_host

SHA256 = "sha256:" + "0123456789abcdef" * 4
IMAGE_ID = "0123456789abcdef" * 4

NORMALISED = [
    ("nginx", "docker.io/library/nginx:latest"),
    ("nginx:1.27", "docker.io/library/nginx:1.27"),
    ("acme/app", "docker.io/acme/app:latest"),
    ("docker.io/nginx", "docker.io/library/nginx:latest"),
    ("index.docker.io/nginx:1", "docker.io/library/nginx:1"),
    ("index.docker.io/acme/app", "docker.io/acme/app:latest"),
    ("localhost", "docker.io/library/localhost:latest"),
    ("test:5000", "docker.io/library/test:5000"),
    ("example.com", "docker.io/library/example.com:latest"),
    ("localhost/app", "localhost/app:latest"),
    ("localhost:5000/app", "localhost:5000/app:latest"),
    ("registry:5000/a/b/c:x", "registry:5000/a/b/c:x"),
    ("Registry/app", "Registry/app:latest"),
    ("ghcr.io/acme/app_name__x--y.z", "ghcr.io/acme/app_name__x--y.z:latest"),
    ("xn--n3h.com/app", "xn--n3h.com/app:latest"),
    ("[2001:db8::1]:5000/app:1", "[2001:db8::1]:5000/app:1"),
    ("[::1]/app", "[::1]/app:latest"),
    (f"nginx@{SHA256}", f"docker.io/library/nginx@{SHA256}"),
    (f"ghcr.io/a/b:1@{SHA256}", f"ghcr.io/a/b:1@{SHA256}"),
    ("app@sha512:" + "a" * 128, "docker.io/library/app@sha512:" + "a" * 128),
    ("a/" + IMAGE_ID, f"docker.io/a/{IMAGE_ID}:latest"),
    ("registry-1.docker.io/acme/app", "registry-1.docker.io/acme/app:latest"),
]

REFUSED = [
    ("", "is empty"),
    ("ghcr.io/Acme/app", "'acme/app'"),
    ("Nginx", "lower case"),
    ("nginx:", "tag after ':' is empty"),
    ("nginx:-x", "is not a tag"),
    ("nginx:" + "t" * 129, "is not a tag"),
    ("nginx:ü", "is not a tag"),
    ("nginx\n", "white space"),
    (" nginx", "white space"),
    ("ghcr.io/a b", "white space"),
    ("https://ghcr.io/acme/app", "write 'ghcr.io/acme/app'"),
    ("docker://nginx", "write 'nginx'"),
    (IMAGE_ID, "image ID"),
    ("nginx@", "is not a digest"),
    ("nginx@sha256:abc", "64 hex digits"),
    ("nginx@sha256:" + "A" * 64, "is not a digest"),
    ("nginx@md5:" + "a" * 32, "is not a digest"),
    (f"nginx@{SHA256}@{SHA256}", "is not a digest"),
    ("ghcr.io/", "names no repository"),
    ("docker.io/", "names no repository"),
    ("/nginx", "is not a repository"),
    ("ghcr.io//app", "is not a repository"),
    ("ghcr.io/app/", "is not a repository"),
    ("ghcr.io/a..b", "is not a repository"),
    ("ghcr.io/a___b", "is not a repository"),
    ("ghcr.io/-a", "is not a repository"),
    ("ghcr.io/a_", "is not a repository"),
    ("ghcr.io/ünï/x", "is not a repository"),
    ("ghcr.io/" + "a" * 256, "at most 255"),
    ("-ghcr.io/app", "is not a registry host"),
    ("ghcr..io/app", "is not a registry host"),
    ("[fe80::1%eth0]/app", "is not a registry host"),
    ("ghcr.io:/app", "is not a registry host"),
    ("ghcr.io:99999/app", "port must be between"),
    ("ghcr.io:0/app", "port must be between"),
    ("ghcr.io:٣/app", "is not a registry host"),
]


@pytest.mark.parametrize(("text", "full"), NORMALISED, ids=[text[:40] for text, _ in NORMALISED])
def test_normalises_as_docker_does(text: str, full: str) -> None:
    """What a person writes becomes the full reference that docker would make of it."""
    assert str(parse(text)) == full


@pytest.mark.parametrize(("text", "advice"), REFUSED, ids=[repr(text[:30]) for text, _ in REFUSED])
def test_refuses_with_advice(text: str, advice: str) -> None:
    """What docker would refuse is refused, and the message says what is wrong or what to write."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)
    assert advice in str(caught.value)


def test_a_password_in_a_url_is_not_repeated() -> None:
    """A person who pastes a URL with a password does not find it in the log."""
    for read in (parse, registry_host):
        with pytest.raises(ValueError, match="user name") as caught:
            read("https://me:c4n4ry-s3cret@ghcr.io/acme/app")
        assert "c4n4ry" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "pull"),
    [("app", "latest"), ("app:1", "1"), (f"app@{SHA256}", SHA256), (f"app:1@{SHA256}", SHA256)],
    ids=["neither", "tag", "digest", "both"],
)
def test_what_is_pulled(text: str, pull: str) -> None:
    """The digest wins over the tag, and latest stands for neither."""
    assert parse(text).pull == pull


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("docker.io/library/nginx:1", "nginx:1"),
        ("docker.io/acme/app", "acme/app"),
        ("docker.io/library/a/b", "library/a/b"),
        ("ghcr.io/acme/app:1", "ghcr.io/acme/app:1"),
        ("docker.io/localhost/app", "docker.io/localhost/app"),
        (f"docker.io/library/{IMAGE_ID}", f"docker.io/library/{IMAGE_ID}"),
        (f"nginx:1@{SHA256}", f"nginx:1@{SHA256}"),
    ],
    ids=["official", "hub", "library-namespace", "other", "looks-like-a-host", "looks-like-an-id", "tag-and-digest"],
)
def test_familiar(text: str, short: str) -> None:
    """The short form drops what docker would add again, and only that."""
    assert parse(text).familiar == short


COMPONENT = st.from_regex(r"[a-z0-9]{1,8}(?:(?:[._]|__|-{1,3})[a-z0-9]{1,8}){0,2}", fullmatch=True)
DOMAIN = st.sampled_from(["docker.io", "ghcr.io", "localhost", "localhost:5000", "[::1]:5000", "r.example:443"])
REFERENCES = st.builds(
    Reference,
    DOMAIN,
    st.lists(COMPONENT, min_size=2, max_size=4).map("/".join),
    st.none() | st.from_regex(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,20}", fullmatch=True),
    st.none() | st.just(SHA256),
)


@settings(deadline=None, max_examples=100)
@given(REFERENCES)
def test_both_forms_parse_back(reference: Reference) -> None:
    """The short form means the same reference, and the full form the same image."""
    assert parse(reference.familiar) == reference
    assert parse(str(reference)).name == reference.name
    assert parse(str(reference)).pull == reference.pull
    assert str(parse(str(reference))) == str(reference)


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    """Whatever the text, the answer is a reference that is stable or a ValueError."""
    try:
        reference = parse(text)
    except ValueError:
        return
    assert parse(reference.familiar) == reference


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("docker.io", "docker.io"),
        ("index.docker.io", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("registry.hub.docker.com", "docker.io"),
        ("https://index.docker.io/v1/", "docker.io"),
        ("https://index.docker.io/v1", "docker.io"),
        ("GHCR.IO", "ghcr.io"),
        ("ghcr.io:443", "ghcr.io:443"),
        ("registry:5000", "registry:5000"),
        ("localhost", "localhost"),
        ("[2001:DB8::1]:5000", "[2001:db8::1]:5000"),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", "123456789012.dkr.ecr.eu-west-1.amazonaws.com"),
    ],
    ids=str,
)
def test_registry_host(text: str, host: str) -> None:
    """Every spelling of a registry becomes one canonical host; ports stay."""
    assert registry_host(text) == host
    assert registry_host(host) == host


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("", "write host or host:port"),
        ("https://ghcr.io", "write 'ghcr.io'"),
        ("https://index.docker.io/v2/", "write 'index.docker.io'"),
        ("ghcr.io/acme", "write 'ghcr.io'"),
        ("ghcr.io/", "write 'ghcr.io'"),
        ("ghcr", "ghcr:5000"),
        ("ghcr.io\n", "write host"),
        ("ghcr.io.", "write host"),
        ("*.example.com", "write host"),
        ("bücher.example", "xn--"),
        ("ghcr.io:0", "port"),
        ("hub.docker.com", "write docker.io"),
    ],
    ids=repr,
)
def test_registry_host_refuses_with_advice(text: str, advice: str) -> None:
    """What no client would look for is refused with what to write instead."""
    with pytest.raises(ValueError, match=r".") as caught:
        registry_host(text)
    assert advice in str(caught.value)


def test_only_docker_hub_has_another_api_host() -> None:
    """The registry API of Docker Hub is elsewhere; every other registry answers itself."""
    assert api_host("docker.io") == "registry-1.docker.io"
    assert api_host("ghcr.io:443") == "ghcr.io:443"


def test_a_reference_names_its_registry() -> None:
    """The registry of a reference compares with that of a credential, however it was spelt."""
    assert parse("GHCR.io/acme/app").registry == "ghcr.io"
    assert parse("registry-1.docker.io/acme/app").registry == parse("nginx").registry


@pytest.mark.parametrize("path", ["", "/", "a//b", "A", "a/", "a b", "a" * 256], ids=repr)
def test_is_no_repository_path(path: str) -> None:
    """A path that no reference could have is none."""
    assert not is_repository_path(path)
