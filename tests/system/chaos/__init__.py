"""Faults in real processes: after any crash, stall, or full disk, an upload ends in one result or one sentence.

Each scenario runs on SQLite with the embedded broker and on PostgreSQL with Redis, in a short form (part of
`make test`) and a long one (`make chaos`). `docs/reliability.md` explains the promises and has the last figures.
"""
