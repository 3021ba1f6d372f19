"""Create the full-text index of SQLite again, without positions: it is smaller, and words are found faster."""

from django.db import migrations

from classifier.models.derived.texts import FTS, create_search_index, drop_search_index


def create_again(apps, schema_editor):
    """Read every text once."""
    connection = schema_editor.connection
    if connection.vendor == "sqlite":
        drop_search_index(connection)
        create_search_index(connection)
        with connection.cursor() as cursor:
            cursor.execute(f"INSERT INTO {FTS}({FTS}) VALUES ('rebuild')")


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0022_last_backup'),
    ]

    operations = [
        migrations.RunPython(create_again, migrations.RunPython.noop),
    ]
