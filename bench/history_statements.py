"""Statements and transactions of a piece of work, with their times."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class Statements:
    """Collect the statements of a connection: `with connection.execute_wrapper(statements)`.

    Attributes:
        found: seconds, SQL, and parameters of each statement.
        transactions: committed transactions; each statement outside of one counts as its own.
        commit_seconds: seconds of the commits, while `counting_commits`.
    """

    def __init__(self) -> None:
        self.found: list[tuple[float, str, Any]] = []
        self.transactions = 0
        self.commit_seconds = 0.0

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        """Run a statement and keep it."""
        self.transactions += not context["connection"].in_atomic_block
        begin = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self.found.append((time.perf_counter() - begin, sql, params))

    @contextmanager
    def counting_commits(self, connection: Any) -> Iterator[None]:
        """Count the commits of a connection inside the block."""
        commit = connection._commit

        def counted() -> None:
            begin = time.perf_counter()
            commit()
            self.commit_seconds += time.perf_counter() - begin
            self.transactions += 1

        connection._commit = counted
        try:
            yield
        finally:
            del connection._commit
