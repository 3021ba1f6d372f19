from django.db import migrations

from classifier.models.derived.counts import rebuild_counts
from classifier.models.derived.facets import rebuild_facets
from classifier.models.derived.texts import rebuild_texts


def fill(apps, schema_editor):
    """Derive what the triggers keep from now on. They are created after the last migration."""
    connection = schema_editor.connection
    rebuild_facets(connection)
    rebuild_counts(connection)
    if not apps.get_model('classifier', 'ScanText').objects.exists():
        rebuild_texts(connection)


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0026_site_calibration'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=False),
    ]
