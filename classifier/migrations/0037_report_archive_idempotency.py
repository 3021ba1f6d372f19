"""Let a program request a ZIP file of reports again without a second job."""

from django.db import migrations, models


class Migration(migrations.Migration):
    """Add the idempotency key of a request and the hash of what it asked for."""

    dependencies = [("classifier", "0036_report_left_out")]

    operations = [
        migrations.AddField(
            model_name="reportarchive",
            name="idempotency_key",
            field=models.CharField(blank=True, default="", editable=False, max_length=255),
            preserve_default=False,
        ),
        migrations.AddField(
            model_name="reportarchive",
            name="request_sha256",
            field=models.CharField(
                blank=True,
                default="",
                editable=False,
                help_text="Hash of the request that had the idempotency key.",
                max_length=64,
            ),
            preserve_default=False,
        ),
        migrations.AddConstraint(
            model_name="reportarchive",
            constraint=models.UniqueConstraint(
                condition=models.Q(("idempotency_key", ""), _negated=True),
                fields=("owner", "idempotency_key"),
                name="report_archive_idempotency_key_once",
            ),
        ),
    ]
