"""The triggers that keep facets, counts, and searchable texts of scans in step, and the statements that rebuild them.

A database trigger runs in the transaction of the change, whatever makes the change: a service, a worker, the deletion
of a team, or a statement typed by hand.
"""

from django.db.backends.base.base import BaseDatabaseWrapper

TABLES = ("classifier_scan", "classifier_analysis", "classifier_scancount", "classifier_scantext")
FTS = "classifier_scantext_fts"

# Private characters, so that a key is one trigram that no text contains: the kind, then two digits to the base 6000.
KEY_BASE, KEY_DIGITS, KEY_RADIX = 57344, 57600, 6000
OWNER_KEY, TEAM_KEY = 1, 2


def key_word(kind: int, number: int) -> str:
    """Return an owner or a team as one trigram of the full-text index of SQLite."""
    return chr(KEY_BASE + kind) + chr(KEY_DIGITS + number // KEY_RADIX) + chr(KEY_DIGITS + number % KEY_RADIX)


def install_derived_triggers(connection: BaseDatabaseWrapper) -> None:
    """Create the triggers, in place of earlier ones, once all their tables exist."""
    if not set(TABLES) <= set(connection.introspection.table_names()):
        return
    with connection.cursor() as cursor:
        for statement in _sqlite() if connection.vendor == "sqlite" else _postgresql():
            cursor.execute(statement)
        if connection.vendor == "sqlite":
            # Emptying the tables without triggers leaves the index behind.
            cursor.execute("SELECT NOT EXISTS (SELECT 1 FROM classifier_scantext)")
            if cursor.fetchone()[0]:
                cursor.execute(f"INSERT INTO {FTS}({FTS}) VALUES ('rebuild')")


def remove_derived_triggers(connection: BaseDatabaseWrapper) -> None:
    """Drop the triggers, to empty or fill the tables. `rebuild` brings what they keep in step again."""
    with connection.cursor() as cursor:
        for table, name in _TRIGGERS if connection.vendor == "sqlite" else _POSTGRESQL_TRIGGERS:
            on = "" if connection.vendor == "sqlite" else f" ON {table}"
            cursor.execute(f"DROP TRIGGER IF EXISTS {name}{on}")


def create_search_index(connection: BaseDatabaseWrapper) -> None:
    """Create what text search needs beside the tables."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(
                f"CREATE VIRTUAL TABLE IF NOT EXISTS {FTS} USING fts5(keys, text, "
                "content='classifier_scantext', content_rowid='id', tokenize='trigram')"
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


def rebuild_facets(connection: BaseDatabaseWrapper) -> int:
    """Correct every facet; return how many were wrong."""
    wanted = _facet("classifier_scan")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE classifier_scan SET facet = {wanted} WHERE facet <> {wanted}")
        return int(cursor.rowcount)


def wrong_facets() -> str:
    """Return the query of the number of scans with a wrong facet."""
    return f"SELECT count(*) FROM classifier_scan WHERE facet <> {_facet('classifier_scan')}"


def wrong_texts(vendor: str) -> str:
    """Return the query of the number of texts that are missing, differ, or have no scan."""
    newline = "char(10)" if vendor == "sqlite" else "chr(10)"
    same = (
        f"t.text = s.patient_reference || {newline} || s.notes AND t.owner_number = s.owner_id "
        "AND t.team_number = coalesce(s.team_id, 0)"
    )
    return (
        "SELECT (SELECT count(*) FROM classifier_scan s LEFT JOIN classifier_scantext t ON t.scan_id = s.id "
        f"WHERE {_has_text('s')} AND (t.id IS NULL OR NOT ({same}))) + (SELECT count(*) FROM classifier_scantext t "
        f"LEFT JOIN classifier_scan s ON s.id = t.scan_id WHERE s.id IS NULL OR NOT {_has_text('s')})"
    )


def rebuild_counts(connection: BaseDatabaseWrapper) -> None:
    """Count every scan again, from its facet."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM classifier_scancount")
        cursor.execute(f"INSERT INTO {_COUNT_COLUMNS} {counted(connection)}")


def counted(connection: BaseDatabaseWrapper) -> str:
    """Return the query of what `classifier_scancount` should say."""
    month = _month("created_at", connection.vendor)
    return (
        f"SELECT owner_id, coalesce(team_id, 0), {month}, facet, count(*) FROM classifier_scan GROUP BY 1, 2, 3, 4 "
        f"UNION ALL SELECT 0, team_id, {month}, facet, count(*) FROM classifier_scan "
        "WHERE team_id IS NOT NULL GROUP BY 1, 2, 3, 4"
    )


def rebuild_texts(connection: BaseDatabaseWrapper) -> None:
    """Store every searchable text again. The triggers must be gone: they would change the full-text index, too."""
    vendor = connection.vendor
    ignore = ("OR IGNORE ", "") if vendor == "sqlite" else ("", " ON CONFLICT DO NOTHING")
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM classifier_scantext")
        cursor.execute(
            f"INSERT {ignore[0]}INTO {_TEXT_COLUMNS} SELECT {_position('s', vendor)}, {_text_values('s', vendor)} "
            f"FROM classifier_scan s WHERE {_has_text('s')}{ignore[1]}"
        )
        if vendor == "sqlite":
            cursor.execute(f"INSERT INTO {FTS}({FTS}) VALUES ('rebuild')")


_TEXT = "classifier_scantext"
_COUNT_COLUMNS = "classifier_scancount (owner_number, team_number, month, facet, number)"
_TEXT_COLUMNS = "classifier_scantext (id, scan_id, owner_number, team_number, keys, text)"
_TRIGGERS = (
    ("classifier_scan", "classifier_scan_derive_insert"),
    ("classifier_scan", "classifier_scan_derive_facet"),
    ("classifier_scan", "classifier_scan_derive_count"),
    ("classifier_scan", "classifier_scan_derive_text"),
    ("classifier_scan", "classifier_scan_derive_delete"),
    ("classifier_analysis", "classifier_analysis_derive_insert"),
    ("classifier_analysis", "classifier_analysis_derive_update"),
    ("classifier_scantext", "classifier_scantext_insert"),
    ("classifier_scantext", "classifier_scantext_delete"),
)
_POSTGRESQL_TRIGGERS = (
    ("classifier_scan", "derive_facet"),
    ("classifier_scan", "derive_count_insert"),
    ("classifier_scan", "derive_count_update"),
    ("classifier_scan", "derive_count_delete"),
    ("classifier_scan", "derive_text_insert"),
    ("classifier_scan", "derive_text_update"),
    ("classifier_scan", "derive_text_delete"),
    ("classifier_analysis", "derive_insert"),
    ("classifier_analysis", "derive_update"),
)


def _result(row: str) -> str:
    return (
        f"CASE WHEN {row}.state IN ('queued', 'running') THEN 'waiting' "
        f"WHEN {row}.state <> 'succeeded' THEN {row}.state "
        f"WHEN {row}.outcome = 'classified' THEN {row}.finding ELSE {row}.outcome END"
    )


def _facet(scan: str) -> str:
    """Return the expression of a scan's facet: model, result, and reviewed finding."""
    return (
        f"(coalesce((SELECT a.model_name || '|' || {_result('a')} FROM classifier_analysis a "
        f"WHERE a.id = {scan}.current_analysis_id), '|') || '|' || {scan}.reviewed_finding)"
    )


def _month(column: str, vendor: str) -> str:
    return f"substr({column}, 1, 7)" if vendor == "sqlite" else f"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM')"


def _has_text(row: str) -> str:
    return f"({row}.patient_reference <> '' OR {row}.notes <> '')"


def _position(row: str, vendor: str) -> str:
    """Return the expression of a text's key: microseconds since 1970 times 1024, plus 10 bits of the scan's key."""
    if vendor == "sqlite":
        digits = [f"(instr('0123456789abcdef', substr({row}.id, {place}, 1)) - 1)" for place in (1, 2, 3)]
        seconds = f"CAST(strftime('%s', {row}.created_at) AS INTEGER)"
        micro = f"CAST(substr({row}.created_at, 21, 6) AS INTEGER)"
        return f"(({seconds} * 1000000 + {micro}) * 1024 + {digits[0]} * 64 + {digits[1]} * 4 + {digits[2]} / 4)"
    bits = f"(('x' || substr({row}.id::text, 1, 8))::bit(32)::bigint >> 22)"
    return f"((extract(epoch FROM {row}.created_at) * 1000000)::bigint * 1024 + ({bits} & 1023))"


def _text_values(row: str, vendor: str) -> str:
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


def _store_text(row: str, vendor: str) -> str:
    """Return the statement that stores a text; of two with one position the later one comes next."""
    base = _position(row, vendor)
    free = (
        f"coalesce((SELECT max(t.id) + 1 FROM classifier_scantext t WHERE t.id BETWEEN {base} AND {base} + 15), {base})"
    )
    return f"INSERT INTO {_TEXT_COLUMNS} SELECT {free}, {_text_values(row, vendor)} WHERE {_has_text(row)};"


def _count(row: str, sign: str) -> str:
    month = _month(f"{row}.created_at", "sqlite")
    return (
        f"INSERT INTO {_COUNT_COLUMNS} "
        f"SELECT {row}.owner_id, coalesce({row}.team_id, 0), {month}, {row}.facet, {sign}1 WHERE {row}.facet <> '' "
        f"UNION ALL SELECT 0, {row}.team_id, {month}, {row}.facet, {sign}1 "
        f"WHERE {row}.facet <> '' AND {row}.team_id IS NOT NULL;"
    )


def _sqlite() -> list[str]:
    scan, analysis, vendor = "classifier_scan", "classifier_analysis", "sqlite"
    set_facet = f"UPDATE {scan} SET facet = {_facet(scan)} WHERE"
    moved = "(OLD.owner_id <> NEW.owner_id OR OLD.team_id IS NOT NEW.team_id OR OLD.created_at <> NEW.created_at"
    fts = f"INSERT INTO {FTS}"
    bodies = {
        # An empty facet is not counted: the row is new, and its facet is set by the first statement.
        "classifier_scan_derive_insert": (
            f"AFTER INSERT ON {scan}",
            f"{_count('NEW', '+')} {set_facet} id = NEW.id; {_store_text('NEW', vendor)}",
        ),
        "classifier_scan_derive_facet": (
            f"AFTER UPDATE OF facet, current_analysis_id, reviewed_finding ON {scan} WHEN NEW.facet <> {_facet('NEW')}",
            f"{set_facet} id = NEW.id;",
        ),
        "classifier_scan_derive_count": (
            f"AFTER UPDATE OF facet, owner_id, team_id, created_at ON {scan} WHEN {moved} OR OLD.facet <> NEW.facet)",
            f"{_count('OLD', '-')} {_count('NEW', '+')}",
        ),
        "classifier_scan_derive_text": (
            f"AFTER UPDATE OF patient_reference, notes, owner_id, team_id, created_at ON {scan} WHEN {moved} "
            "OR OLD.patient_reference <> NEW.patient_reference OR OLD.notes <> NEW.notes)",
            f"DELETE FROM {_TEXT} WHERE scan_id = OLD.id; {_store_text('NEW', vendor)}",
        ),
        "classifier_scan_derive_delete": (
            f"AFTER DELETE ON {scan}",
            f"{_count('OLD', '-')} DELETE FROM {_TEXT} WHERE scan_id = OLD.id;",
        ),
        "classifier_analysis_derive_insert": (
            f"AFTER INSERT ON {analysis}",
            f"{set_facet} current_analysis_id = NEW.id;",
        ),
        "classifier_analysis_derive_update": (
            f"AFTER UPDATE OF state, outcome, finding, model_name ON {analysis} "
            f"WHEN {_result('OLD')} <> {_result('NEW')} OR OLD.model_name <> NEW.model_name",
            f"{set_facet} current_analysis_id = NEW.id;",
        ),
        "classifier_scantext_insert": (
            f"AFTER INSERT ON {_TEXT}",
            f"{fts}(rowid, keys, text) VALUES (NEW.id, NEW.keys, NEW.text);",
        ),
        "classifier_scantext_delete": (
            f"AFTER DELETE ON {_TEXT}",
            f"{fts}({FTS}, rowid, keys, text) VALUES ('delete', OLD.id, OLD.keys, OLD.text);",
        ),
    }
    return [
        statement
        for name, (event, body) in bodies.items()
        for statement in (f"DROP TRIGGER IF EXISTS {name}", f"CREATE TRIGGER {name} {event} BEGIN {body} END")
    ]


def _postgresql() -> list[str]:
    month = _month("r.created_at", "postgresql")
    rows = {"old": "SELECT *, -1 AS sign FROM old_rows", "new": "SELECT *, 1 AS sign FROM new_rows"}

    def count(*kinds: str) -> str:
        found = " UNION ALL ".join(rows[kind] for kind in kinds)
        return (
            f"INSERT INTO {_COUNT_COLUMNS} SELECT k.owner, k.team, {month}, r.facet, sum(r.sign) FROM ({found}) r "
            "CROSS JOIN LATERAL (VALUES (r.owner_id, coalesce(r.team_id, 0)), (0, coalesce(r.team_id, 0))) "
            "k(owner, team) "
            "WHERE k.owner <> 0 OR k.team <> 0 GROUP BY 1, 2, 3, 4 HAVING sum(r.sign) <> 0;"
        )

    text = _store_text("NEW", "postgresql")
    drop_text = "DELETE FROM classifier_scantext WHERE scan_id = OLD.id;"
    facet = _facet("NEW")
    functions = {
        "derive_scan_facet": f"NEW.facet := {facet}; RETURN NEW;",
        "derive_scan_count_insert": f"{count('new')} RETURN NULL;",
        "derive_scan_count_update": f"{count('old', 'new')} RETURN NULL;",
        "derive_scan_count_delete": f"{count('old')} RETURN NULL;",
        "derive_scan_text_insert": f"{text} RETURN NULL;",
        "derive_scan_text_update": f"{drop_text} {text} RETURN NULL;",
        "derive_scan_text_delete": f"{drop_text} RETURN NULL;",
        # The scan's own trigger computes the facet.
        "derive_analysis": "UPDATE classifier_scan SET facet = '' WHERE current_analysis_id = NEW.id; RETURN NULL;",
    }
    scan, analysis = "ON classifier_scan", "ON classifier_analysis"
    moved = (
        "OLD.owner_id <> NEW.owner_id OR OLD.team_id IS DISTINCT FROM NEW.team_id OR OLD.created_at <> NEW.created_at"
    )
    new, old = "REFERENCING NEW TABLE AS new_rows", "REFERENCING OLD TABLE AS old_rows"
    triggers = {
        "derive_facet": (
            f"BEFORE INSERT OR UPDATE OF facet, current_analysis_id, reviewed_finding {scan} FOR EACH ROW",
            "derive_scan_facet",
        ),
        "derive_count_insert": (f"AFTER INSERT {scan} {new} FOR EACH STATEMENT", "derive_scan_count_insert"),
        "derive_count_update": (
            f"AFTER UPDATE {scan} {old} NEW TABLE AS new_rows FOR EACH STATEMENT",
            "derive_scan_count_update",
        ),
        "derive_count_delete": (f"AFTER DELETE {scan} {old} FOR EACH STATEMENT", "derive_scan_count_delete"),
        "derive_text_insert": (f"AFTER INSERT {scan} FOR EACH ROW", "derive_scan_text_insert"),
        "derive_text_update": (
            f"AFTER UPDATE OF patient_reference, notes, owner_id, team_id, created_at {scan} FOR EACH ROW "
            f"WHEN ({moved} OR OLD.patient_reference <> NEW.patient_reference OR OLD.notes <> NEW.notes)",
            "derive_scan_text_update",
        ),
        "derive_text_delete": (f"AFTER DELETE {scan} FOR EACH ROW", "derive_scan_text_delete"),
        "derive_insert": (f"AFTER INSERT {analysis} FOR EACH ROW", "derive_analysis"),
        "derive_update": (
            f"AFTER UPDATE OF state, outcome, finding, model_name {analysis} FOR EACH ROW WHEN "
            f"({_result('OLD')} <> {_result('NEW')} OR OLD.model_name <> NEW.model_name)",
            "derive_analysis",
        ),
    }
    statements = [
        f"CREATE OR REPLACE FUNCTION classifier_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
        for name, body in functions.items()
    ]
    for name, (event, function) in triggers.items():
        table = "classifier_analysis" if "classifier_analysis" in event else "classifier_scan"
        statements.append(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        statements.append(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION classifier_{function}()")
    return statements
