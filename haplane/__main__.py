"""The entry point. Streams must be open before any file is, and gevent must patch before anything imports ssl or
socket, hence the first lines.
"""

from haplane.open_streams import open_missing

open_missing()

from gevent import monkey  # noqa: E402

monkey.patch_all()

from gevent.hub import Hub  # noqa: E402 - after the patch, on purpose, like all below

from haplane.cli.main import cli  # noqa: E402
from haplane.cli.signals import end_on_signals  # noqa: E402


def main() -> None:
    """Run the command line. SIGTERM unwinds as Ctrl-C does, so that locks are freed and what is half done is said."""
    end_on_signals()
    Hub.NOT_ERROR = (*Hub.NOT_ERROR, KeyboardInterrupt)  # gevent would print a traceback of its own
    cli(prog_name="haplane")


if __name__ == "__main__":
    main()
