"""`python -m gateway`: the REST surfaces as a process."""

import sys

from runtime.stubs import require_stubs


def run(argv: list[str] | None = None) -> int:
    """Runs the service as its arguments say and returns the exit code."""
    require_stubs()
    # After the check: without stubs these imports fail with a message that names no remedy.
    from config.load import load_configuration
    from gateway.app import SERVICE, open_app
    from runtime import cli

    return cli.main(SERVICE, load=load_configuration, open_app=open_app, argv=argv)


if __name__ == "__main__":
    sys.exit(run())
