"""Store the thresholds that an answer was given with."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = (("classifier", "0007_batch_named_by_client"),)

    operations = (
        migrations.AddField(
            model_name="analysis",
            name="answer_rule",
            field=models.JSONField(
                blank=True,
                editable=False,
                help_text="The thresholds that the answer was given with.",
                null=True,
            ),
        ),
    )
