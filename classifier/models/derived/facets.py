"""The facet of a scan as an expression of both databases; see `classifier.models.scan_index.Facet`."""

from django.db.backends.base.base import BaseDatabaseWrapper

from classifier.input_problems import BLOCKING
from classifier.models.scan_index import READING_CODES

FACET_COLUMNS = "facet, current_analysis_id, reviewed_finding, input_problems, input_accepted_at"
"""Columns of a scan whose change changes its facet."""


def result_of(row: str) -> str:
    """Return the expression of the result of an analysis, as `Facet.result` has it."""
    return (
        f"CASE WHEN {row}.state IN ('queued', 'running') THEN 'waiting' "
        f"WHEN {row}.state <> 'succeeded' THEN {row}.state "
        f"WHEN {row}.outcome = 'classified' THEN {row}.finding ELSE {row}.outcome END"
    )


def facet_of(scan: str) -> str:
    """Return the expression of a scan's facet: model, result, and what readers say.

    An answer that the input check withholds is not a result: lists, filters, and counts must not reveal it.
    """
    found = " OR ".join(f'CAST({scan}.input_problems AS text) LIKE \'%"code": "{code}"%\'' for code in sorted(BLOCKING))
    withheld = f"a.outcome IN ('classified', 'uncertain') AND {scan}.input_accepted_at IS NULL AND ({found})"
    result = f"CASE WHEN {withheld} THEN 'withheld' ELSE {result_of('a')} END"
    return (
        f"(coalesce((SELECT a.model_name || '|' || {result} FROM classifier_analysis a "
        f"WHERE a.id = {scan}.current_analysis_id), '|') || '|' || {_readings_of(scan)})"
    )


def _readings_of(scan: str) -> str:
    """Return the expression of the reviewed finding of a scan, and of the newest review of each reader.

    `classifier.models.scan_index.written` writes the same. Most scans have no review: that is asked first.
    """
    newer = (
        "EXISTS (SELECT 1 FROM classifier_review n WHERE n.scan_id = r.scan_id AND n.reviewer_id = r.reviewer_id "
        "AND (n.created_at > r.created_at OR (n.created_at = r.created_at AND n.id > r.id)))"
    )
    codes = " || ".join(
        f"CASE WHEN {scan}.reviewed_finding = '{name}' OR EXISTS (SELECT 1 FROM classifier_review r "
        f"WHERE r.scan_id = {scan}.id AND r.finding = '{name}' AND NOT {newer}) THEN '{code}' ELSE '' END"
        for name, code in READING_CODES.items()
    )
    in_full = " ".join(f"WHEN '{code}' THEN '{name}'" for name, code in READING_CODES.items())
    return (
        f"CASE WHEN EXISTS (SELECT 1 FROM classifier_review v WHERE v.scan_id = {scan}.id) "
        f"THEN (SELECT CASE c.codes {in_full} ELSE c.codes END FROM (SELECT {codes} AS codes) c) "
        f"ELSE {scan}.reviewed_finding END"
    )


def rebuild_facets(connection: BaseDatabaseWrapper) -> int:
    """Correct every facet; return how many were wrong."""
    wanted = facet_of("classifier_scan")
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE classifier_scan SET facet = {wanted} WHERE facet <> {wanted}")
        return int(cursor.rowcount)


def wrong_facets() -> str:
    """Return the query of the number of scans with a wrong facet."""
    return f"SELECT count(*) FROM classifier_scan WHERE facet <> {facet_of('classifier_scan')}"
