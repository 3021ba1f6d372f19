"""Store codes instead of sentences for the scans that a ZIP file of reports leaves out."""

from django.db import migrations, models

CODES = {
    "deleted, or no longer visible to you": "gone",
    "sealed until you record your impression": "sealed",
    "its report could not be created": "unmade",
}


def set_codes(apps, schema_editor):
    """Replace the sentences. Files are removed after a day, so these are few."""
    archives = apps.get_model("classifier", "ReportArchive").objects
    for archive in archives.filter(kind="zip").only("left_out").iterator():
        if archive.left_out:
            codes = {scan: CODES.get(reason, reason) for scan, reason in archive.left_out.items()}
            archives.filter(pk=archive.pk).update(left_out=codes)


class Migration(migrations.Migration):
    """Change what `left_out` of a file of reports holds."""

    dependencies = [("classifier", "0035_report_files")]

    operations = [
        migrations.AlterField(
            model_name="reportarchive",
            name="left_out",
            field=models.JSONField(
                default=dict, help_text="Identifiers of scans without a report, and why (`LeftOut`)."
            ),
        ),
        migrations.RunPython(set_codes, migrations.RunPython.noop),
    ]
