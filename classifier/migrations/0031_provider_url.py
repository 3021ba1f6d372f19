from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('classifier', '0030_connection_test_running'),
    ]

    operations = [
        migrations.RenameField(
            model_name='assistantprovider',
            old_name='address',
            new_name='url',
        ),
    ]
