"""The configuration's files: one, or every ``*.yaml`` and ``*.yml`` of a directory, read and joined."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rotator.config.document import Document, parse
from rotator.config.mistake import KeyPath, Mistake, Place

MAX_FILE_BYTES = 1 << 20
"""Largest file. A thousand credentials fit in a third of it; more belong into a directory."""
MAX_FILES = 1000

SHARED = ("credentials", "targets", "registries")
"""Sections whose entries may be spread over the files of a directory."""
_REPEATED = "version"
_GUARDED = "policy"
_MAIN = re.compile(r"(rotator|00-.*)\.ya?ml", re.DOTALL)
"""Files of a directory that may hold the policy. Give the others to whom the policy is about, and none of these."""
_SUFFIXES = (".yaml", ".yml")


def read(path: Path) -> Document:
    """Return what the file, or the directory's files in the order of their names, say together. Raises nothing.

    Hidden files are passed over: editors and mounted volumes keep theirs beside the real ones.
    """
    try:
        files = files_of(path)
    except OSError as error:
        return _unreadable(path, f"cannot be read ({error.strerror}); check the path and its permissions")
    if not files:
        return _unreadable(path, "is a directory without *.yaml files; add one, or name a file")
    if len(files) > MAX_FILES:
        return _unreadable(path, f"is a directory of more than {MAX_FILES} files; name the right one")
    documents = [_read_file(file) for file in files]
    if path.is_dir():
        for file, document in zip(files, documents, strict=True):
            _guard(file, document)
    return documents[0] if len(documents) == 1 else merge(documents)


def _guard(file: Path, document: Document) -> None:
    """Note what stands where fragments stand, and refuse a policy there: whoever writes one must not widen it."""
    if _MAIN.fullmatch(file.name):
        return
    for section in SHARED:
        entries = document.data.get(section)
        document.fragments[section] = set(entries) if isinstance(entries, dict) else set()
    path = (_GUARDED,)
    if _GUARDED in document.data:
        text = "belongs into rotator.yaml or 00-*.yaml of this directory, so that no other file of it can widen it"
        document.mistakes.append(Mistake(document.places[path], path, text))
        document.spoiled.add(path)


def merge(documents: Sequence[Document]) -> Document:
    """Return the union of ``documents``; the first wins where two say the same, and the second is a mistake."""
    merged = Document(complete=all(document.complete for document in documents))
    for document in documents:
        merged.mistakes.extend(document.mistakes)
        merged.spoiled.update(document.spoiled)
        for section in document.data:
            _add(merged, document, section)
        for section, names in document.fragments.items():
            merged.fragments.setdefault(section, set()).update(names)
        for path, place in document.places.items():
            merged.places.setdefault(path, place)
    return merged


def _add(merged: Document, document: Document, section: str) -> None:
    """Add one section of one file to ``merged``."""
    value = document.data[section]
    known = merged.data.get(section)
    if section not in merged.data:
        merged.data[section] = dict(value) if isinstance(value, dict) else value
    elif section == _REPEATED and value == known:
        return
    elif section in SHARED and isinstance(value, dict) and isinstance(known, dict):
        _add_entries(merged, document, section)
    else:
        merged.mistakes.append(_again(merged, document, (section,), "put it in one file"))


def _add_entries(merged: Document, document: Document, section: str) -> None:
    entries = merged.data[section]
    for name, value in document.data[section].items():
        if name in entries:
            merged.mistakes.append(_again(merged, document, (section, name), "keep one of the two"))
        else:
            entries[name] = value


def _again(merged: Document, document: Document, path: KeyPath, advice: str) -> Mistake:
    return Mistake(document.places[path], path, f"is also in {merged.places[path]}; {advice}")


def files_of(path: Path) -> list[Path]:
    """Return the files that `read` reads, in the order of their names.

    Raises:
        OSError: The directory cannot be read.
    """
    if not path.is_dir():
        return [path]
    return sorted(
        file
        for file in path.iterdir()
        if file.suffix in _SUFFIXES and not file.name.startswith(".") and not file.is_dir()
    )


def _read_file(path: Path) -> Document:
    """Return what one file says, or why it cannot be read. Waits for nothing: only regular files are opened."""
    if path.exists() and not path.is_file():
        return _unreadable(path, "is not a regular file; name a file or a directory")
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        return _unreadable(path, f"cannot be read ({error.strerror}); check the path and its permissions")
    if len(content) > MAX_FILE_BYTES:
        return _unreadable(path, "is larger than 1 MiB; spread it over several files of a directory")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        return _broken(Place(str(path), line), "is not UTF-8; save it as UTF-8 text")
    return parse(text, str(path))


def _unreadable(path: Path, text: str) -> Document:
    return _broken(Place(str(path)), text)


def _broken(place: Place, text: str) -> Document:
    return Document(mistakes=[Mistake(place, (), text)], complete=False)
