"""`python -m order_svc`: the write side as one process."""

import sys

from runtime.stubs import StubsNotUsable, require_stubs


def run() -> int:
    """Runs the service and returns the exit code; see `runtime.cli.main`."""
    try:
        require_stubs()
    except StubsNotUsable as error:
        sys.stderr.write(f"order_svc cannot start: {error}\n")
        return 1
    # Only now: the application imports the stubs.
    from config.load import load_configuration
    from order_svc.app import SERVICE, open_app
    from runtime.cli import main

    return main(SERVICE, load=load_configuration, open_app=open_app)


if __name__ == "__main__":
    sys.exit(run())
