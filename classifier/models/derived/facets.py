"""The facet of a scan as an expression of both databases; see `classifier.models.scan_index.Facet`."""

from django.db.backends.base.base import BaseDatabaseWrapper

from classifier.input_problems import BLOCKING

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
    """Return the expression of a scan's facet: model, result, and reviewed finding.

    An answer that the input check withholds is not a result: lists, filters, and counts must not reveal it.
    """
    found = " OR ".join(f'CAST({scan}.input_problems AS text) LIKE \'%"code": "{code}"%\'' for code in sorted(BLOCKING))
    withheld = f"a.outcome IN ('classified', 'uncertain') AND {scan}.input_accepted_at IS NULL AND ({found})"
    result = f"CASE WHEN {withheld} THEN 'withheld' ELSE {result_of('a')} END"
    return (
        f"(coalesce((SELECT a.model_name || '|' || {result} FROM classifier_analysis a "
        f"WHERE a.id = {scan}.current_analysis_id), '|') || '|' || {scan}.reviewed_finding)"
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
