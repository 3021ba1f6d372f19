from django.db import migrations, models


class Migration(migrations.Migration):
    """Rename fields. Indexes are dropped first: Django does not follow a renamed field into an index."""

    dependencies = [
        ('classifier', '0003_tumor_of_unknown_kind'),
    ]

    operations = [
        migrations.RemoveIndex(model_name='analysis', name='analysis_line'),
        migrations.RemoveIndex(model_name='analysis', name='analysis_own_line'),
        migrations.RenameField(model_name='analysis', old_name='turn', new_name='fair_turn'),
        migrations.AddIndex(
            model_name='analysis',
            index=models.Index(condition=models.Q(('state__in', ('queued', 'running'))), fields=['fair_turn', 'bulk', 'queued_at', 'id'], name='analysis_queue_order'),
        ),
        migrations.AddIndex(
            model_name='analysis',
            index=models.Index(condition=models.Q(('state__in', ('queued', 'running'))), fields=['requested_by', 'bulk', 'fair_turn'], name='analysis_queue_by_user'),
        ),
        migrations.AlterModelOptions(
            name='workerprocess',
            options={'ordering': ('-heartbeat_at',), 'verbose_name_plural': 'worker processes'},
        ),
        migrations.RenameField(model_name='workerprocess', old_name='seen_at', new_name='heartbeat_at'),
    ]
