"""`manage.py up`: all of BrainScan in the foreground."""

import errno
import os
import socket
from pathlib import Path
from typing import Any, TextIO

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from brainscan.environment import private_folder
from brainscan.processes import programs
from brainscan.processes.supervisor import NotReady, Program, Supervisor
from classifier.ops.lock import UP_LOCK, Locked, lock


class Command(BaseCommand):
    """Prepare the database and static files, then run broker, worker, beat and web until Ctrl-C."""

    help = "Run web, worker, beat and, unless REDIS_URL is set, the embedded broker in the foreground."
    requires_system_checks: list[str] = []  # noqa: RUF012 - Django's own annotation

    def handle(self, *args: Any, **options: Any) -> None:
        """Run until stopped."""
        os.chdir(settings.BASE_DIR)
        # Files that any of the processes writes from here on are private to this user.
        os.umask(0o077)
        _check_model()
        data_dir = private_folder(Path(settings.DATA_DIR))
        with _only_one(data_dir / UP_LOCK):
            _check_port(settings.HOST, settings.PORT)
            self._prepare_model()
            call_command("migrate", interactive=False, verbosity=0)
            call_command("collectstatic", interactive=False, verbosity=0)
            supervisor = Supervisor(self._programs(data_dir))
            try:
                supervisor.run(when_up=self._greet)
            except NotReady as error:
                raise CommandError(f"BrainScan could not start: {error}") from error

    def _prepare_model(self) -> None:
        """Generate the graph that the engine runs, so that no request waits for it and no two workers generate it."""
        from classifier.inference.engines import prepare_model
        from classifier.inference.registry import ModelError

        def announce() -> None:
            self.stdout.write("Preparing the model for this machine (once; about 15 seconds) ...")
            self.stdout.flush()

        folder = Path(settings.MODELS_DIR) / settings.MODEL
        try:
            prepare_model(folder, engine=settings.ENGINE, exports=settings.EXPORTS_DIR, announce=announce)
        except ModelError as error:
            raise CommandError(f"MODEL={settings.MODEL} cannot be used: {error}") from error

    def _programs(self, data_dir: Path) -> list[Program]:
        allowed = (name.lstrip(".") for name in settings.ALLOWED_HOSTS)
        name = next((name for name in allowed if name and name != "*"), "localhost")
        started = [
            programs.worker(),
            programs.beat(folder=data_dir / "beat"),
            programs.web(host=settings.HOST, port=settings.PORT, name=name),
        ]
        if not settings.REDIS_URL:
            started.insert(0, programs.broker(folder=data_dir / "broker", socket_path=settings.BROKER_SOCKET))
        return started

    def _greet(self) -> None:
        url = f"http://{settings.HOST}:{settings.PORT}"
        self.stdout.write(f"\nBrainScan is running at {url}")
        if not _has_administrator():
            self.stdout.write(
                f"Create the first account at {url}/accounts/signup/ : it becomes the administrator of this "
                "installation."
            )
        self.stdout.write("Press Ctrl-C to stop it.\n", ending="\n")
        self.stdout.flush()


def _has_administrator() -> bool:
    from classifier.models import User

    return User.objects.filter(is_superuser=True).exists()


def _check_model() -> None:
    """Refuse to start with a model that cannot be used: uploads would be accepted and then fail one by one."""
    from classifier.inference.engines import choose_engine
    from classifier.inference.registry import ModelError, load_card

    try:
        load_card(Path(settings.MODELS_DIR) / settings.MODEL)
    except ModelError as error:
        raise CommandError(f"MODEL={settings.MODEL} cannot be used: {error}") from error
    try:
        choose_engine(settings.ENGINE)
    except ModelError as error:
        raise CommandError(str(error)) from error


def _only_one(path: Path) -> TextIO:
    """Return the open lock file. Raises `CommandError` when another `up` holds it; a killed one holds nothing."""
    try:
        return lock(path)
    except Locked as error:
        raise CommandError(
            f"BrainScan is already running on the data in {path.parent}. Stop it first, or set DATA_DIR."
        ) from error


def _check_port(host: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise CommandError(f"Cannot listen on {host}, port {port}: {error.strerror}.") from error
            raise CommandError(f"Port {port} is in use. Choose another one: PORT={port + 1} make run") from error
