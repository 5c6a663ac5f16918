"""What a control plane logs is written in order, and never holds it up."""

from __future__ import annotations

import io
import threading

from control_plane.cli.log_lines import LogLines, log_lines


def test_everything_is_written_in_order_by_the_end() -> None:
    stream = io.StringIO()
    with log_lines(stream) as lines:
        for number in range(1000):
            lines.info(f"line {number}")
    assert stream.getvalue().splitlines() == [f"line {number}" for number in range(1000)]


class Stuck(io.StringIO):
    """A reader of the log that takes nothing until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.taken = threading.Event()
        self.go_on = threading.Event()

    def write(self, text: str) -> int:
        self.taken.set()
        self.go_on.wait(60)
        return super().write(text)


def test_a_reader_that_takes_nothing_holds_nobody_up_and_the_loss_is_told() -> None:
    stream = Stuck()
    lines = LogLines(stream, most=10)
    lines.info("first")
    assert stream.taken.wait(60)
    for number in range(25):
        lines.info(f"line {number}")
    stream.go_on.set()
    lines.end()
    written = stream.getvalue().splitlines()
    assert written[:11] == ["first", *(f"line {number}" for number in range(10))]
    assert '"count": 15' in written[11]
    assert len(written) == 12


def test_a_log_that_nobody_reads_any_more_ends_nothing() -> None:
    stream = io.StringIO()
    stream.close()
    lines = LogLines(stream)
    lines.info("lost")
    lines.end()
