"""The daemon's process: signals, reloads and the service manager around one `Application` after another."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from rotator.app import Application
from rotator.cli.config_watch import ConfigWatch
from rotator.cli.failure import ExitCode
from rotator.cli.systemd import notify, report_life
from rotator.clock import SystemClock
from rotator.config.load import load
from rotator.config.root import Config
from rotator.config.standing import standing_of
from rotator.domain.events import ConfigReloaded
from rotator.errors import ConfigError, RotatorError
from rotator.kinds import kinds
from rotator.log import LineHandler, configure, harden_process, install_hooks
from rotator.page.serve import serve
from rotator.ports import Clock
from rotator.secret import Redactor

STOP_SECONDS = 9.5
"""After a signal to stop, the process ends within this, whatever hangs. The journal makes that safe."""
PRIVATE_UMASK = 0o077

_log: Any = structlog.get_logger(__name__)


def run_daemon(path: Path) -> None:
    """Run until a signal stops it.

    Raises:
        ConfigError: The configuration cannot be used; names every mistake.
    """
    config = load(path, kinds())
    os.umask(PRIVATE_UMASK)
    handler = configure(config.log.level, config.log.format, sys.stderr, Redactor())
    install_hooks()
    harden_process()
    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(_run(path, config, handler))
    finally:
        handler.flush()


async def _run(path: Path, config: Config, handler: LineHandler) -> None:
    clock = SystemClock()
    await Daemon(path, clock, ConfigWatch(path, clock), functools.partial(load, path, kinds()), handler).run(config)


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's, which sends half as much again through a connection; None where it is not installed."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


@dataclass(slots=True)
class Daemon:
    """Runs one application after another: a new configuration gets a new one.

    Args:
        path: Where the configuration is, for people.
        clock: Time.
        files: Notices changes of the configuration.
        reload: Reads the configuration. Blocks. Raises ConfigError.
        log: Where log lines go.
    """

    path: Path
    clock: Clock
    files: ConfigWatch
    reload: Callable[[], Config]
    log: LineHandler
    _stopping: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _fallback: Config | None = field(default=None, init=False)
    _refused: tuple[str, datetime] | None = field(default=None, init=False)

    async def run(self, config: Config) -> None:
        """Run until a signal stops it; see `run_daemon`.

        Raises:
            RotatorError: It could not start, or a task that it needs ended by an error.
        """
        loop = asyncio.get_running_loop()
        install_hooks(loop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop, number)
        loop.add_signal_handler(signal.SIGHUP, self.files.ask)
        following: Config | None = config
        while following is not None:
            following = await self._next_after(following)
        notify("STOPPING=1")
        _log.info("daemon_stopped")

    async def _next_after(self, config: Config) -> Config | None:
        """Run under ``config``; return the configuration to go on with, None to stop."""
        try:
            following = await self._serve(config)
        except RotatorError as error:
            if self._fallback is None:
                raise
            _log.error("config_not_taken_over", message=str(error))
            self._refused = str(error), self.clock.now()
            following, self._fallback = self._fallback, None
            return following
        self._fallback, self._refused = config, None
        return following

    async def _serve(self, config: Config) -> Config | None:
        """Run one application until it is to stop or a new configuration is there."""
        standing = standing_of(self.path, config, self.clock.now())
        if self._refused is not None:
            standing = standing.refused(*self._refused)
        async with Application.open(config, self.clock, lambda: self.log.redactions, standing) as application:
            if self._fallback is not None:
                application.emit(ConfigReloaded(error="", at=self.clock.now()))
            service = functools.partial(serve, application, self._started)
            running = asyncio.create_task(application.run(service), name="application")
            new_config = asyncio.create_task(self._new_config(application), name="configuration")
            stop = asyncio.create_task(self._stopping.wait(), name="stop")
            beat = asyncio.create_task(report_life(application.liveness, self.clock), name="watchdog")
            try:
                await asyncio.wait({running, new_config, stop}, return_when=asyncio.FIRST_COMPLETED)
                notify("STOPPING=1" if self._stopping.is_set() else "RELOADING=1")
                application.stop()
                await running
                return new_config.result() if new_config.done() and not self._stopping.is_set() else None
            finally:
                await _cancel(running, new_config, stop, beat)

    async def _new_config(self, application: Application) -> Config:
        """Return the next configuration that can be used; what cannot is reported, and the present one goes on."""
        while True:
            await self.files.changed()
            try:
                return await asyncio.to_thread(self.reload)
            except ConfigError as error:
                self._refused = str(error), self.clock.now()
                application.standing = application.standing.refused(*self._refused)
                application.emit(ConfigReloaded(error=str(error), at=self.clock.now()))

    def _started(self, addresses: Mapping[str, str]) -> None:
        self._fallback = None
        _log.info("daemon_started", listeners=dict(addresses), process=os.getpid())
        notify("READY=1", f"MAINPID={os.getpid()}")

    def _stop(self, number: int) -> None:
        """Stop in order at the first signal, at once at the second, and in any case after a while."""
        if self._stopping.is_set():
            self._exit()
        _log.info("daemon_stopping", signal=signal.Signals(number).name)
        self._stopping.set()
        timer = threading.Timer(STOP_SECONDS, self._exit)
        timer.daemon = True
        timer.start()

    def _exit(self) -> None:
        _log.warning("daemon_cut_off")
        self.log.flush()
        os._exit(ExitCode.FAILED)


async def _cancel(*tasks: asyncio.Task[Any]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
