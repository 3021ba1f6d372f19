"""Searchable texts of scans, and the indexes that find words in them."""

from django.db.backends.base.base import BaseDatabaseWrapper

FTS = "classifier_scantext_fts"
TEXT_COLUMNS = "classifier_scantext (id, scan_id, owner_number, team_number, keys, text)"

# Private characters, so that a key is one trigram that no text contains: the kind, then two digits to the base 6000.
KEY_BASE, KEY_DIGITS, KEY_RADIX = 57344, 57600, 6000
OWNER_KEY, TEAM_KEY = 1, 2


def key_word(kind: int, number: int) -> str:
    """Return an owner or a team as one trigram of the full-text index of SQLite."""
    return chr(KEY_BASE + kind) + chr(KEY_DIGITS + number // KEY_RADIX) + chr(KEY_DIGITS + number % KEY_RADIX)


def create_search_index(connection: BaseDatabaseWrapper) -> None:
    """Create what text search needs beside the tables."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {FTS} USING fts5(keys, text, "
                "content='classifier_scantext', content_rowid='id', tokenize='trigram', detail=none)"
            )
            return
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        cursor.execute("CREATE EXTENSION IF NOT EXISTS btree_gin")
        # Without a list of pending entries: an upload never pays for those before it.
        cursor.execute(
            "CREATE INDEX IF NOT EXISTS scan_text_words ON classifier_scantext "
            "USING gin (owner_number, team_number, text gin_trgm_ops) WITH (fastupdate = off)"
        )


def drop_search_index(connection: BaseDatabaseWrapper) -> None:
    """Undo `create_search_index`. Extensions stay: others may use them."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"DROP TABLE IF EXISTS {FTS}")
        else:
            cursor.execute("DROP INDEX IF EXISTS scan_text_words")


def wrong_texts(vendor: str) -> str:
    """Return the query of the number of texts that are missing, differ, or have no scan."""
    newline = "char(10)" if vendor == "sqlite" else "chr(10)"
    same = (
        f"t.text = s.patient_reference || {newline} || s.notes AND t.owner_number = s.owner_id "
        "AND t.team_number = coalesce(s.team_id, 0)"
    )
    return (
        "SELECT (SELECT count(*) FROM classifier_scan s LEFT JOIN classifier_scantext t ON t.scan_id = s.id "
        f"WHERE {has_text('s')} AND (t.id IS NULL OR NOT ({same}))) + (SELECT count(*) FROM classifier_scantext t "
        f"LEFT JOIN classifier_scan s ON s.id = t.scan_id WHERE s.id IS NULL OR NOT {has_text('s')})"
    )


def rebuild_texts(connection: BaseDatabaseWrapper) -> None:
    """Store every searchable text again. The triggers must be gone: they would change the full-text index, too."""
    vendor = connection.vendor
    ignore = ("OR IGNORE ", "") if vendor == "sqlite" else ("", " ON CONFLICT DO NOTHING")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM classifier_scantext")
        cursor.execute(
            f"INSERT {ignore[0]}INTO {TEXT_COLUMNS} SELECT {position_of('s', vendor)}, {text_values('s', vendor)} "
            f"FROM classifier_scan s WHERE {has_text('s')}{ignore[1]}"
        )
        if vendor == "sqlite":
            cursor.execute(f"INSERT INTO {FTS}({FTS}) VALUES ('rebuild')")


def has_text(row: str) -> str:
    """Return the condition that a scan has a searchable text."""
    return f"({row}.patient_reference <> '' OR {row}.notes <> '')"


def position_of(row: str, vendor: str) -> str:
    """Return the expression of a text's key: microseconds since 1970 times 1024, plus 10 bits of the scan's key."""
    if vendor == "sqlite":
        digits = [f"(instr('0123456789abcdef', substr({row}.id, {place}, 1)) - 1)" for place in (1, 2, 3)]
        seconds = f"CAST(strftime('%s', {row}.created_at) AS INTEGER)"
        micro = f"CAST(substr({row}.created_at, 21, 6) AS INTEGER)"
        return f"(({seconds} * 1000000 + {micro}) * 1024 + {digits[0]} * 64 + {digits[1]} * 4 + {digits[2]} / 4)"
    bits = f"(('x' || substr({row}.id::text, 1, 8))::bit(32)::bigint >> 22)"
    return f"((extract(epoch FROM {row}.created_at) * 1000000)::bigint * 1024 + ({bits} & 1023))"


def text_values(row: str, vendor: str) -> str:
    """Return the expressions of the columns of a text, but for its key."""
    keys = "''"
    if vendor == "sqlite":
        words = [
            f"char({KEY_BASE + kind}, {KEY_DIGITS} + {number} / {KEY_RADIX}, {KEY_DIGITS} + {number} % {KEY_RADIX})"
            for kind, number in ((OWNER_KEY, f"{row}.owner_id"), (TEAM_KEY, f"coalesce({row}.team_id, 0)"))
        ]
        keys = " || ' ' || ".join(words)
    newline = "char(10)" if vendor == "sqlite" else "chr(10)"
    return (
        f"{row}.id, {row}.owner_id, coalesce({row}.team_id, 0), {keys}, "
        f"{row}.patient_reference || {newline} || {row}.notes"
    )


def store_text(row: str, vendor: str) -> str:
    """Return the statement that stores a text; of two with one position the later one comes next."""
    base = position_of(row, vendor)
    free = (
        f"coalesce((SELECT max(t.id) + 1 FROM classifier_scantext t WHERE t.id BETWEEN {base} AND {base} + 15), {base})"
    )
    return f"INSERT INTO {TEXT_COLUMNS} SELECT {free}, {text_values(row, vendor)} WHERE {has_text(row)};"
