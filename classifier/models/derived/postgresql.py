"""The triggers on PostgreSQL."""

from classifier.models.derived.counts import COUNT_COLUMNS, month_of
from classifier.models.derived.facets import FACET_COLUMNS, facet_of, result_of
from classifier.models.derived.texts import store_text

TRIGGERS = (
    ("classifier_scan", "derive_facet"),
    ("classifier_scan", "derive_count_insert"),
    ("classifier_scan", "derive_count_update"),
    ("classifier_scan", "derive_count_delete"),
    ("classifier_scan", "derive_text_insert"),
    ("classifier_scan", "derive_text_update"),
    ("classifier_scan", "derive_text_delete"),
    ("classifier_analysis", "derive_insert"),
    ("classifier_analysis", "derive_update"),
    ("classifier_review", "derive_review"),
)


def trigger_statements() -> list[str]:
    """Return the statements that create the triggers and their functions, in place of earlier ones."""
    month = month_of("r.created_at", "postgresql")
    rows = {"old": "SELECT *, -1 AS sign FROM old_rows", "new": "SELECT *, 1 AS sign FROM new_rows"}

    def count(*kinds: str) -> str:
        found = " UNION ALL ".join(rows[kind] for kind in kinds)
        return (
            f"INSERT INTO {COUNT_COLUMNS} SELECT k.owner, k.team, {month}, r.facet, sum(r.sign) FROM ({found}) r "
            "CROSS JOIN LATERAL (VALUES (r.owner_id, coalesce(r.team_id, 0)), (0, coalesce(r.team_id, 0))) "
            "k(owner, team) "
            "WHERE k.owner <> 0 OR k.team <> 0 GROUP BY 1, 2, 3, 4 HAVING sum(r.sign) <> 0;"
        )

    text = store_text("NEW", "postgresql")
    drop_text = "DELETE FROM classifier_scantext WHERE scan_id = OLD.id;"
    facet = facet_of("NEW")
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
        "derive_review": "UPDATE classifier_scan SET facet = '' WHERE id = NEW.scan_id; RETURN NULL;",
    }
    scan, analysis = "ON classifier_scan", "ON classifier_analysis"
    moved = (
        "OLD.owner_id <> NEW.owner_id OR OLD.team_id IS DISTINCT FROM NEW.team_id OR OLD.created_at <> NEW.created_at"
    )
    new, old = "REFERENCING NEW TABLE AS new_rows", "REFERENCING OLD TABLE AS old_rows"
    triggers = {
        "derive_facet": (
            f"BEFORE INSERT OR UPDATE OF {FACET_COLUMNS} {scan} FOR EACH ROW",
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
            f"({result_of('OLD')} <> {result_of('NEW')} OR OLD.model_name <> NEW.model_name)",
            "derive_analysis",
        ),
        "derive_review": ("AFTER INSERT ON classifier_review FOR EACH ROW", "derive_review"),
    }
    statements = [
        f"CREATE OR REPLACE FUNCTION classifier_{name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$"
        for name, body in functions.items()
    ]
    for name, (event, function) in triggers.items():
        table = {trigger: table for table, trigger in TRIGGERS}[name]
        statements.append(f"DROP TRIGGER IF EXISTS {name} ON {table}")
        statements.append(f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION classifier_{function}()")
    return statements
