"""The entry point. gevent must patch before anything imports ssl or socket, hence the first line."""

from gevent import monkey

monkey.patch_all()

import signal  # noqa: E402 - after the patch, on purpose, like all below
from types import FrameType  # noqa: E402

from gevent import get_hub, getcurrent  # noqa: E402
from gevent.hub import Hub  # noqa: E402

from haplane.cli.main import cli  # noqa: E402


def main() -> None:
    """Run the command line. SIGTERM unwinds as Ctrl-C does, so that locks are freed and what is half done is said."""
    end_on_signals()
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)  # gevent would print a traceback of its own
    cli(prog_name="haplane")


def end_on_signals() -> None:
    """SIGINT, unless it is ignored, and SIGTERM raise KeyboardInterrupt here, whichever thread they happen to meet.

    Python raises it in what runs at that moment, and a thread that gevent made would end and keep it to itself.
    """
    here = getcurrent()

    def interrupt(signal_number: int, frame: FrameType | None) -> None:
        if getcurrent() is here:
            raise KeyboardInterrupt
        get_hub().loop.run_callback(here.throw, KeyboardInterrupt)

    for number in (signal.SIGINT, signal.SIGTERM):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


if __name__ == "__main__":
    main()
