"""Intake stands alone."""

import subprocess
import sys


def test_intake_needs_neither_django_nor_tensorflow_and_pydicom_in_its_children_only():
    code = "import classifier.intake, sys; print({'django', 'tensorflow', 'keras', 'pydicom'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
