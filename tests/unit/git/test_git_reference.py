# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a user names: repositories, refs, directories."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._git.reference import (
    Address,
    Resolved,
    Tag,
    candidates,
    choose,
    clean_directory,
    embedded_secret,
    listed,
    not_found,
    parse_repo,
    shown,
)

ONE, TWO, THREE = "1" * 40, "2" * 40, "3" * 40


@pytest.mark.parametrize(
    ("repo", "transport", "host", "port"),
    [
        ("git@github.com:example/shop.git", "ssh", "github.com", None),
        ("github.com:example/shop.git", "ssh", "github.com", None),
        ("git@[::1]:shop.git", "ssh", "::1", None),
        ("[::1]:shop.git", "ssh", "::1", None),
        ("ssh://git@github.com/example/shop.git", "ssh", "github.com", None),
        ("ssh://git@[::1]:2222/shop.git", "ssh", "::1", 2222),
        ("https://gitlab.example.com:8443/shop.git", "https", "gitlab.example.com", 8443),
        ("http://localhost:3000/shop.git", "http", "localhost", 3000),
        ("file:///srv/git/shop.git", "file", "", None),
        ("/srv/git/shop:1.git", "file", "", None),
    ],
)
def test_repository_addresses_are_parsed(repo: str, transport: str, host: str, port: int | None) -> None:
    assert parse_repo(repo) == Address(repo, transport, host, port)


@pytest.mark.parametrize(
    ("repo", "message"),
    [
        ("https:///x", "names no host"),
        ("ssh://host:port/x", "is not a valid URL"),
        ("https://[::1/x", "is not a valid URL"),
        ("host\n:x", "control characters"),
        ("", "repo is empty"),
        *((repo, "neither a URL nor an absolute path") for repo in ("shop.git", "./shop.git", "../shop")),
        *(
            (repo, "transport .* is not supported. Use ssh://")
            for repo in ("ext::sh -c true", "fd::7", "::x", "git+ssh://host/x", "git://host/x", "ftp://host/x")
        ),
        *(
            (f"{url}/x", r"repo holds credentials \(for host\)")
            for url in ("https://user:pw@host", "https://token@host")
        ),
        ("ssh://user:pw@host/x", "repo holds credentials .* write 'ssh://user@host/x', and set private_key"),
        ("git+https://user:pw@host/x", "repo holds credentials"),
        ("https://user:pw@host:8443/x", "write 'https://host:8443/x', and use the options username and token"),
        (
            "https://git@git.example.com/x",
            "names the user git, .* write 'https://git.example.com/x', and set username",
        ),
        ("git+ssh://git@host/x", "is not supported. Use ssh://: write 'ssh://git@host/x'"),
        ("ssh+git://git@host:7999/x", "write 'ssh://git@host:7999/x'"),
        ("git+https://host/x", "write 'https://host/x'"),
        ("ssh://git@host:org/x.git", "Write 'ssh://git@host/org/x.git' or 'git@host:org/x.git'"),
        ("ssh://host:org/x.git", "Write 'ssh://host/org/x.git' or 'host:org/x.git'"),
        ("ssh://user:pw@host:org/x.git", "Write 'ssh://user@host/org/x.git'"),
        ("https://git@host:org/x.git", "Write 'https://host/org/x.git'"),
        ("https://user:pw@host:org/x.git", "Write 'https://host/org/x.git'"),
        ("ssh://git@host:99999/x.git", "is not a valid URL: Port out of range"),
        ("git@github.com/org/x.git", "write 'git@github.com:org/x.git'"),
        ("github.com/org/x.git", "write 'https://github.com/org/x.git'"),
        ("https:/github.com/org/x.git", "is not a valid URL: write 'https://github.com/org/x.git'"),
        ("ssh:git@host/x.git", "is not a valid URL: write 'ssh://git@host/x.git'"),
        (" git@host:x.git", "has spaces around it: write 'git@host:x.git'"),
        ("http://git.example.com/x", "Use https or ssh"),
        *(
            (repo, "must not begin with '-'")
            for repo in (
                "-oProxyCommand=x:y",
                "ssh://-oProxyCommand=x/y",
                "ssh://%2Dx/y",
                "git@-oProxyCommand=x:y",
                "-u@h:x",
            )
        ),
    ],
)
def test_what_is_not_an_address_is_refused_without_its_secrets(repo: str, message: str) -> None:
    with pytest.raises(Error, match=message) as error:
        parse_repo(repo)
    assert "pw" not in str(error.value)
    assert "token@" not in str(error.value)


@pytest.mark.parametrize(
    ("repo", "hint"),
    [
        ("git@host:7999/x.git", " If 7999 is a port: write 'ssh://git@host:7999/x.git'."),
        ("host:7999/x.git", " If 7999 is a port: write 'ssh://host:7999/x.git'."),
        ("git@host:x/7999.git", ""),
        ("git@host:7999", ""),
    ],
)
def test_what_else_may_have_been_meant(repo: str, hint: str) -> None:
    assert parse_repo(repo) == Address(repo, "ssh", "host", hint=hint)


@pytest.mark.parametrize(
    ("directory", "message"),
    [
        *(
            (path, "relative to the root of the repository")
            for path in ("/db/migrations", "../db", "db/../../x", "a/..")
        ),
        ("-x", "must not begin with '-'"),
        ("a\nb", r"control characters: 'a\\nb'"),
        ("", "directory is empty"),
    ],
)
def test_no_directories(directory: str, message: str) -> None:
    with pytest.raises(Error, match=message):
        clean_directory(directory)


@pytest.mark.parametrize(
    "ref",
    ["a b", "a..b", "a:b", "a*", "a?", "a[", "a~1", "a^{}", "@", "@{-1}", "/a", "a/", "a.", ".a", "a.lock", "a\\b"],
)
def test_no_refs(ref: str) -> None:
    with pytest.raises(Error, match="is not a valid name of a branch or tag, nor a full commit"):
        candidates(ref)


@pytest.mark.parametrize(
    ("ref", "message"),
    [("", "ref is empty"), ("-x", "begin with '-'"), ("\x1b[31m", r"control characters: '\\x1b\[31m'")],
)
def test_dangerous_refs(ref: str, message: str) -> None:
    with pytest.raises(Error, match=message):
        candidates(ref)


@pytest.mark.parametrize(
    ("directory", "clean"),
    [(".", ""), ("./", ""), ("a", "a"), ("./a//b/", "a/b"), ("a/./b", "a/b"), ("a/..b", "a/..b")],
)
def test_directories(directory: str, clean: str) -> None:
    assert clean_directory(directory) == clean


@pytest.mark.parametrize(
    ("repo", "secret"),
    [
        ("https://user:hunter2@host/x", "hunter2"),
        ("https://:hunter2@host/x", "hunter2"),
        ("HTTPS://hunter2@host/x", "hunter2"),
        ("ssh://user:hunter2@host/x", "hunter2"),
        ("ssh://git@host/x", None),
        ("git+ssh://git@host/x", None),
        ("https://git@host/x", None),
        ("https://git:hunter2@host/x", "hunter2"),
        ("https://shop@shop.example.com/x", None),
        ("https://host/a@b", None),
        ("git@host:x", None),
    ],
)
def test_secrets_in_urls(repo: str, secret: str | None) -> None:
    assert embedded_secret(repo) == secret


def test_a_short_ref_is_a_branch_or_a_tag() -> None:
    assert candidates("main") == ["refs/heads/main", "refs/tags/main"]
    assert candidates("refs/pull/1/head") == ["refs/pull/1/head"]
    assert candidates("HEAD") == ["HEAD"]
    assert candidates("A" * 40) == []


def test_the_ref_that_was_named_is_chosen() -> None:
    listing = (
        f"ref: refs/heads/main\tHEAD\n{ONE}\tHEAD\n{ONE}\trefs/heads/main\n"
        f"{TWO}\trefs/tags/v1\n{THREE}\trefs/tags/v1^{{}}\n"
        f"{TWO}\trefs/heads/x/refs/heads/y\n"
    )
    assert choose("HEAD", listing) == Resolved(ONE, "refs/heads/main")
    assert choose("main", listing) == Resolved(ONE, "refs/heads/main")
    assert choose("v1", listing) == Resolved(THREE, "refs/tags/v1", Tag(TWO, "v1"))
    assert choose("refs/tags/v1", listing) == Resolved(THREE, "refs/tags/v1", Tag(TWO, "v1"))
    assert choose("y", listing) is None


@pytest.mark.parametrize("name", [r"gr\37777777703\37777777666\37777777703\37777777637e", r"gr\303\266\303\237e"])
def test_listed_names_beyond_ascii(name: str) -> None:
    """As git writes them where a char is signed, and where it is not."""
    commit = "1" * 40
    assert listed([f"packet:        fetch< {commit} refs/heads/{name}\n"]) == f"{commit}\trefs/heads/größe"


def test_listed_refs_are_read_from_the_packets() -> None:
    """Both protocols; what the server's own process writes down beside it, on the same host, does not count."""
    talk = [
        "packet:  upload-pack> version 2",
        "packet:        fetch< ls-refs=unborn",
        "packet:        fetch> command=ls-refs",
        "packet:        fetch> ref-prefix refs/tags/v1",
    ]
    second = [
        f"packet:  upload-pack> {THREE} HEAD symref-target:refs/heads/x",
        f"packet:        fetch< {ONE} HEAD symref-target:refs/heads/main",
        f"packet:        fetch< {TWO} refs/tags/v1 peeled:{THREE}",
        "packet:        fetch< 0000",
    ]
    expected = f"ref: refs/heads/main\tHEAD\n{ONE}\tHEAD\n{TWO}\trefs/tags/v1\n{THREE}\trefs/tags/v1^{{}}"
    assert listed([f"{line}\n" for line in talk + second]) == expected
    first = [
        rf"packet:        fetch< {ONE} HEAD\0multi_ack symref=HEAD:refs/heads/main agent=git/2.39.5",
        f"packet:        fetch< {TWO} refs/tags/v1",
        f"packet:        fetch< {THREE} refs/tags/v1^{{}}",
    ]
    assert listed(first) == expected
    assert listed(talk) == ""
    assert listed([]) is None
    assert listed(["packet:          git< # service=git-upload-pack"]) is None


def test_choose_with_a_detached_head() -> None:
    assert choose("HEAD", f"{ONE}\tHEAD\n") == Resolved(ONE, "HEAD")


def test_not_found_names_what_is_alike() -> None:
    names = ["refs/heads/main", "refs/heads/release/2025", "refs/tags/release-2026"]
    assert str(not_found("release/2026", "R", names)).endswith("others: release/2025, release-2026.")


def test_shown_is_one_line() -> None:
    assert shown("a\n\x1b[31mé\udcff") == r"'a\n\x1b[31m\xe9\udcff'"
