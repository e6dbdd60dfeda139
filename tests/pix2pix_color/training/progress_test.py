"""A bar on a terminal, plain lines elsewhere; both with what matters."""

import io

from pix2pix_color.training.progress import Progress

LOSSES = {"discriminator": 0.5, "generator": 12.25, "generator_l1": 11.0}


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_a_log_gets_a_line_with_step_losses_rate_and_time_left():
    stream = io.StringIO()
    now = 0.0
    progress = Progress(first_step=100, total_steps=300, stream=stream,
                        clock=lambda: now)
    for step in range(101, 251):
        # Compilation; then two seconds an update, and at last one.
        now += 60 if step == 101 else 2 if step < 151 else 1
        progress.advance()
        if step in (101, 150) or step > 200 and step % 5 == 0:
            progress.show_losses(LOSSES, step=step, images_per_second=37.5)
    progress.close()
    first, second, *_, last = stream.getvalue().splitlines()
    numbers = "D 0.500  G 12.250  L1 11.000  images/s 37.5"
    assert first == f"step 101/300  {numbers}"
    assert second == f"step 150/300  {numbers}  05:00 left"
    assert last == f"step 250/300  {numbers}  00:50 left"


def test_a_terminal_gets_a_bar_that_begins_where_the_run_stands():
    stream = Terminal()
    progress = Progress(first_step=100, total_steps=300, stream=stream)
    for _ in range(50):
        progress.advance()
    progress.show_losses(LOSSES, step=150, images_per_second=37.5)
    progress.say("step 150: evaluation")
    progress.close()
    text = stream.getvalue()
    assert "150/300" in text and "50%" in text
    assert "G=12.250" in text and "images/s=37.5" in text
    assert "step 150: evaluation\n" in text
