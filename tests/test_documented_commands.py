"""The commands in the code blocks of the documents: one on a line, and with options that exist."""

import re
import shlex
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")))
BLOCK = re.compile(r"^( *)```\n(.*?)^\1```$", re.DOTALL | re.MULTILINE)
PROGRAM = "manage.py"


def command_lines() -> list[str]:
    """The lines of all code blocks without a language that run `manage.py`, continued lines joined."""
    blocks = [block for path in DOCUMENTS for _, block in BLOCK.findall(path.read_text(encoding="utf-8"))]
    lines = [line.strip() for block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [command for line in lines for command in line.split(" && ") if PROGRAM in command]


@pytest.mark.parametrize("line", command_lines())
def test_a_documented_command_has_these_options(line):
    words = shlex.split(line, comments=True)
    assert words.count(PROGRAM) + words.count(f"./{PROGRAM}") == 1, "Two commands on one line."
    name, *arguments = words[words.index(PROGRAM) + 1 :]
    command = load_command_class(get_commands()[name], name)
    # Raises CommandError for an option that does not exist, and for a missing one.
    command.create_parser(PROGRAM, name).parse_args(arguments)


def test_blocks_in_lists_are_indented_to_their_end():
    """A line at the margin would end the list item in the middle of the block."""
    for path in DOCUMENTS:
        for indent, block in BLOCK.findall(path.read_text(encoding="utf-8")):
            assert all(line.startswith(indent) for line in block.splitlines() if line), path
