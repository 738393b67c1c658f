"""Where the command `sculpt` starts: an interrupt is quiet from the first moment on."""

import atexit
import os
import signal
import sys


def main() -> None:
    """Run the command `sculpt`."""
    signal.signal(signal.SIGINT, _interrupted)
    if hasattr(signal, "SIGPIPE"):
        # As other programs do where their reader, such as `head`, has seen enough.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    from sculpt_plugin.cli import main as run

    try:
        run()
    except SystemExit as leave:
        if leave.code == 130:
            # An interrupt in the middle of an import that compiles text makes Python
            # end itself by the signal, whatever exit code was given.
            atexit._run_exitfuncs()
            sys.stdout.flush()
            os._exit(130)
        raise


def _interrupted(number: int, frame: object) -> None:
    """Leave at once: an exception in the middle of an import would not get through."""
    os.write(2, b"sculpt: interrupted\n")
    os._exit(130)


if __name__ == "__main__":
    main()
