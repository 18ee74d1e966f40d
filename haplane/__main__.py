"""The entry point. gevent must patch before anything imports ssl or socket, hence the first line."""

from gevent import monkey

monkey.patch_all()

from haplane.cli.main import cli  # noqa: E402 - after the patch, on purpose


def main() -> None:
    """Run the command line."""
    cli(prog_name="haplane")


if __name__ == "__main__":
    main()
