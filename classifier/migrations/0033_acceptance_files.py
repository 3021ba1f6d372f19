"""Let the jobs that make files of reports make the PDF file of an acceptance report."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    """Add the commissioning whose report a file holds."""

    dependencies = [("classifier", "0032_explanation_partial")]

    operations = [
        migrations.AddField(
            model_name="reportarchive",
            name="commissioning",
            field=models.ForeignKey(
                blank=True,
                help_text="Of an acceptance report, which is one PDF file; then there are no scans.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="classifier.commissioning",
            ),
        ),
    ]
