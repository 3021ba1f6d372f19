"""The triggers on SQLite."""

from classifier.models.derived.counts import COUNT_COLUMNS, month_of
from classifier.models.derived.facets import FACET_COLUMNS, facet_of, result_of
from classifier.models.derived.texts import FTS, store_text

TRIGGERS = (
    ("classifier_scan", "classifier_scan_derive_insert"),
    ("classifier_scan", "classifier_scan_derive_facet"),
    ("classifier_scan", "classifier_scan_derive_count"),
    ("classifier_scan", "classifier_scan_derive_text"),
    ("classifier_scan", "classifier_scan_derive_delete"),
    ("classifier_analysis", "classifier_analysis_derive_insert"),
    ("classifier_analysis", "classifier_analysis_derive_update"),
    ("classifier_review", "classifier_review_derive_insert"),
    ("classifier_scantext", "classifier_scantext_insert"),
    ("classifier_scantext", "classifier_scantext_delete"),
)


def trigger_statements() -> list[str]:
    """Return the statements that create the triggers, in place of earlier ones."""
    scan, analysis, vendor = "classifier_scan", "classifier_analysis", "sqlite"
    set_facet = f"UPDATE {scan} SET facet = {facet_of(scan)} WHERE"
    moved = "(OLD.owner_id <> NEW.owner_id OR OLD.team_id IS NOT NEW.team_id OR OLD.created_at <> NEW.created_at"
    fts = f"INSERT INTO {FTS}"
    bodies = {
        # An empty facet is not counted: the row is new, and its facet is set by the first statement.
        "classifier_scan_derive_insert": (
            f"AFTER INSERT ON {scan}",
            f"{_count('NEW', '+')} {set_facet} id = NEW.id; {store_text('NEW', vendor)}",
        ),
        "classifier_scan_derive_facet": (
            f"AFTER UPDATE OF {FACET_COLUMNS} ON {scan} WHEN NEW.facet <> {facet_of('NEW')}",
            f"{set_facet} id = NEW.id;",
        ),
        "classifier_scan_derive_count": (
            f"AFTER UPDATE OF facet, owner_id, team_id, created_at ON {scan} WHEN {moved} OR OLD.facet <> NEW.facet)",
            f"{_count('OLD', '-')} {_count('NEW', '+')}",
        ),
        "classifier_scan_derive_text": (
            f"AFTER UPDATE OF patient_reference, notes, owner_id, team_id, created_at ON {scan} WHEN {moved} "
            "OR OLD.patient_reference <> NEW.patient_reference OR OLD.notes <> NEW.notes)",
            f"DELETE FROM classifier_scantext WHERE scan_id = OLD.id; {store_text('NEW', vendor)}",
        ),
        "classifier_scan_derive_delete": (
            f"AFTER DELETE ON {scan}",
            f"{_count('OLD', '-')} DELETE FROM classifier_scantext WHERE scan_id = OLD.id;",
        ),
        "classifier_analysis_derive_insert": (
            f"AFTER INSERT ON {analysis}",
            f"{set_facet} current_analysis_id = NEW.id;",
        ),
        "classifier_analysis_derive_update": (
            f"AFTER UPDATE OF state, outcome, finding, model_name ON {analysis} "
            f"WHEN {result_of('OLD')} <> {result_of('NEW')} OR OLD.model_name <> NEW.model_name",
            f"{set_facet} current_analysis_id = NEW.id;",
        ),
        "classifier_review_derive_insert": (
            "AFTER INSERT ON classifier_review",
            f"{set_facet} id = NEW.scan_id;",
        ),
        "classifier_scantext_insert": (
            "AFTER INSERT ON classifier_scantext",
            f"{fts}(rowid, keys, text) VALUES (NEW.id, NEW.keys, NEW.text);",
        ),
        "classifier_scantext_delete": (
            "AFTER DELETE ON classifier_scantext",
            f"{fts}({FTS}, rowid, keys, text) VALUES ('delete', OLD.id, OLD.keys, OLD.text);",
        ),
    }
    return [
        statement
        for name, (event, body) in bodies.items()
        for statement in (f"DROP TRIGGER IF EXISTS {name}", f"CREATE TRIGGER {name} {event} BEGIN {body} END")
    ]


def _count(row: str, sign: str) -> str:
    month = month_of(f"{row}.created_at", "sqlite")
    return (
        f"INSERT INTO {COUNT_COLUMNS} "
        f"SELECT {row}.owner_id, coalesce({row}.team_id, 0), {month}, {row}.facet, {sign}1 WHERE {row}.facet <> '' "
        f"UNION ALL SELECT 0, {row}.team_id, {month}, {row}.facet, {sign}1 "
        f"WHERE {row}.facet <> '' AND {row}.team_id IS NOT NULL;"
    )
