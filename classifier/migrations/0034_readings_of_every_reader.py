from django.db import migrations

from classifier.models.derived.counts import rebuild_counts
from classifier.models.derived.facets import rebuild_facets


def fill(apps, schema_editor):
    """Derive the facets of scans with several readers, and of slices at the edge of the head, again."""
    rebuild_facets(schema_editor.connection)
    rebuild_counts(schema_editor.connection)


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0033_acceptance_files'),
    ]

    operations = [
        migrations.RunPython(fill, migrations.RunPython.noop, elidable=False),
    ]
