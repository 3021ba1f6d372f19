"""URLs of reports."""

from django.urls import path, register_converter
from django.urls.converters import StringConverter

from classifier.web.views import report_explanation, report_files, report_templates, reports


class KindConverter(StringConverter):
    """The kind of a file."""

    regex = "pdf|html"


register_converter(KindConverter, "kind")

urlpatterns = [
    path("scans/<uuid:scan_id>/report/", reports.report_compose, name="report_compose"),
    path(
        "scans/<uuid:scan_id>/report/explanation/",
        report_explanation.report_explanation,
        name="report_explanation",
    ),
    path("scans/<uuid:scan_id>/report.<kind:kind>", report_files.scan_report_file, name="scan_report_file"),
    path("batches/<uuid:batch_id>/report/", report_files.batch_report, name="batch_report"),
    path("batches/<uuid:batch_id>/report.<kind:kind>", report_files.batch_report, name="batch_report_file"),
    path("reports/", reports.report_list, name="report_list"),
    path("reports/verify/", reports.report_verify, name="report_verify"),
    path("reports/templates/", report_templates.template_list, name="report_templates"),
    path("reports/templates/<int:template_id>/", report_templates.template_edit, name="report_template"),
    path("reports/patient/", report_files.patient_report, name="patient_report"),
    path("reports/patient/report.<kind:kind>", report_files.patient_report, name="patient_report_file"),
    path("reports/archives/", report_files.archive_request, name="report_archive_request"),
    path("reports/archives/<uuid:archive_id>/", report_files.archive_page, name="report_archive"),
    path("reports/archives/<uuid:archive_id>/file/", report_files.archive_download, name="report_archive_file"),
    path("reports/<uuid:report_id>/", reports.report, name="report"),
    path("reports/<uuid:report_id>/sign/", reports.report_sign, name="report_sign"),
    path("reports/<uuid:report_id>/addenda/", reports.report_addendum, name="report_addendum"),
    path("reports/<uuid:report_id>/report.<kind:kind>", report_files.report_file, name="report_file"),
]
