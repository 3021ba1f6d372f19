"""Let the jobs that make files of reports make the PDF file of one report, and of a table of scans."""

from django.db import migrations, models


def set_kind(apps, schema_editor):
    """Name the kind of the files that exist."""
    archives = apps.get_model("classifier", "ReportArchive").objects
    archives.filter(commissioning__isnull=False).update(kind="acceptance")


class Migration(migrations.Migration):
    """Add the kind of a file, and what a report in it says."""

    dependencies = [("classifier", "0034_readings_of_every_reader")]

    operations = [
        migrations.AddField(
            model_name="reportarchive",
            name="kind",
            field=models.CharField(
                choices=[
                    ("zip", "Reports as a ZIP file"),
                    ("report", "Report as a PDF file"),
                    ("summary", "Table of scans as a PDF file"),
                    ("acceptance", "Acceptance report as a PDF file"),
                ],
                default="zip",
                max_length=10,
            ),
        ),
        migrations.AddField(
            model_name="reportarchive",
            name="signed_report_id",
            field=models.UUIDField(
                blank=True, help_text="Of a report: this signed one; null is the valid report of the scan.", null=True
            ),
        ),
        migrations.AddField(
            model_name="reportarchive",
            name="content_sha256",
            field=models.CharField(
                blank=True,
                default="",
                help_text="Of a report: hash of its content, so that equal requests share a file.",
                max_length=64,
            ),
            preserve_default=False,
        ),
        migrations.RunPython(set_kind, migrations.RunPython.noop),
        migrations.AddConstraint(
            model_name="reportarchive",
            constraint=models.UniqueConstraint(
                condition=models.Q(("content_sha256", ""), _negated=True) & models.Q(("state", "failed"), _negated=True),
                fields=("owner", "content_sha256"),
                name="report_archive_of_content_once",
            ),
        ),
    ]
