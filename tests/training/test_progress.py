import time
from io import StringIO

from classifier.training.progress import ProgressLine


class Terminal(StringIO):
    def isatty(self):
        return True


def test_a_log_gets_few_lines():
    stream = StringIO()
    line = ProgressLine(stream, label="images")
    for done in range(1, 101):
        line(done, 100)
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert lines[0].endswith("1/100")
    assert "100/100" in lines[1]


def test_a_terminal_gets_one_line_with_the_time_left():
    stream = Terminal()
    line = ProgressLine(stream, label="training")
    line(10, 100, left=3725, note="loss 0.5")
    line(100, 100, left=0)
    assert "10/100, 1 h 02 min left  loss 0.5" in stream.getvalue()
    assert stream.getvalue().count("\n") == 1


def test_a_second_part_starts_a_clock_of_its_own():
    line = ProgressLine(StringIO(), label="images")
    line(16, 32)
    line(32, 32)
    line.started -= 1000
    line(16, 48)
    assert time.monotonic() - line.started < 500
