"""A person fills in the form: tells them, hands the login over, and waits for their word."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from rotator.disk import Disk
from rotator.domain.declares import Proof
from rotator.domain.model import SAME_AS_SECRET, Held
from rotator.errors import AwaitingOperatorError, UnavailableError
from rotator.targets.atomic_file import read, replace
from rotator.targets.directory import Place, file_errors, locate, locked, make_directory, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.domain.model import Entry, Login
    from rotator.targets.tagoio_deploy.config import TagoioDeployConfig
    from rotator.targets.tagoio_deploy.form import Form

DEADLINE_SECONDS = 30.0


class ManualMode:
    """Hands over, and never says that it was done: that is the person's word.

    What is handed over can be handed over again, as often as it takes: nothing of it is kept here.

    Args:
        form: What is to be filled in.
        config: How the login is handed over.
    """

    proof = Proof.OPERATOR

    def __init__(self, form: Form, config: TagoioDeployConfig) -> None:
        self._form = form
        self._config = config
        self._disk = Disk()

    async def push(self, entry: Entry) -> NoReturn:
        """Hand ``entry`` over. Safe to repeat.

        Raises:
            AwaitingOperatorError: Always: says what the person must do. UnsupportedError: It cannot be typed.
            RotatorError: The file cannot be written.
        """
        self._form.refuse_unenterable(entry)
        if self._config.file is not None:
            await _in_thread(self._disk, _write, self._config.file, self._text(entry))
        raise AwaitingOperatorError(
            f"{self._form.target}: generation {entry.generation} of {entry.credential} waits to be entered in project "
            f"{self._form.project} of TagoIO Deploy: Username {_shown(entry.login)} and Registry Access Password",
            hint=f"{self._where()}; once it is deployed: {self._ack(entry)}",
        )

    async def look(self, _: Entry) -> Held:
        """Return that nothing can be seen. Asks nobody."""
        return Held({}, changed=False, proof=self.proof)

    async def take_away(self) -> None:
        """Remove the file that was handed over. Safe to repeat.

        Raises:
            RotatorError: It cannot be removed.
        """
        if self._config.file is not None:
            await _in_thread(self._disk, _remove, self._config.file, b"")

    def _where(self) -> str:
        match self._config.hand_over:
            case "file":
                return f"The password is in {self._config.file}"
            case "elsewhere":
                return f"The password is here: {self._config.elsewhere}"
            case _:
                return f"The password is shown once by: rotator targets reveal {self._form.target}"

    def _ack(self, entry: Entry) -> str:
        return f"rotator targets ack {self._form.target} --generation {entry.generation}"

    def _text(self, entry: Entry) -> bytes:
        """Return the file's content. Secret."""
        lines = (
            f"# Generation {entry.generation} of {entry.credential}, for TagoIO Deploy project {self._form.project}:",
            "# enter it in Container, Docker Image Configuration, and let it deploy. Then this takes the file away:",
            f"# {self._ack(entry)}",
            f"Image: {self._form.image}",
            f"Image Tag: {self._form.image_tag}",
            f"Username: {entry.login.username}",
            f"Registry Access Password: {entry.login.secret.reveal()}",
        )
        return "".join(f"{line}\n" for line in lines).encode()


def _shown(login: Login) -> str:
    """Return the user name as it may be told to anybody."""
    return "(the password once more)" if login.public_username == SAME_AS_SECRET else login.public_username


async def _in_thread(disk: Disk, job: Callable[[int, Place, bytes], None], path: str, content: bytes) -> None:
    """Do ``job`` with the file's directory held open and locked.

    Raises:
        UnavailableError: It took too long. RotatorError: As `rotator.targets.directory`.
    """
    stop = threading.Event()
    try:
        await disk.run(path, lambda: _with_directory(job, path, content, stop), DEADLINE_SECONDS)
    except TimeoutError as error:
        raise UnavailableError(f"{path}: nothing done in time: {error}", cause="timeout") from error
    finally:
        stop.set()


def _with_directory(job: Callable[[int, Place, bytes], None], path: str, content: bytes, stop: threading.Event) -> None:
    place = locate(path, (os.path.realpath(os.path.dirname(path)),))  # noqa: PTH120 - text, as everything with dir_fd
    with file_errors(path):
        make_directory(place, None)
        with opened(place) as directory, locked(directory, place, stop):
            job(directory, place, content)


def _write(directory: int, place: Place, content: bytes) -> None:
    before = read(directory, place.name)
    if before is None or before.content != content:
        replace(directory, place, content, before)


def _remove(directory: int, place: Place, _: bytes) -> None:
    with suppress(FileNotFoundError):
        os.unlink(place.name, dir_fd=directory)
