"""`python -m account_svc`: the balance guard, positions and market data as a process."""

import sys

from runtime.stubs import require_stubs


def run(argv: list[str] | None = None) -> int:
    """Runs the service as its arguments say and returns the exit code."""
    require_stubs()
    # After the check: without stubs these imports fail with a message that names no remedy.
    from account_svc.app import SERVICE, open_app
    from config.load import load_configuration
    from runtime import cli

    return cli.main(SERVICE, load=load_configuration, open_app=open_app, argv=argv)


if __name__ == "__main__":
    sys.exit(run())
