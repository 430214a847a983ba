"""The entry point: runs a command, and turns what it raises into an exit code and words."""

import os
import sys
import traceback
from collections.abc import Sequence

from sonde.core.errors import SondeError

USER_ERROR, CRASH, STOPPED = 2, 1, 130


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    A user's mistake ends with code 2 and no traceback, Ctrl-C with 130, a failed check with 1.
    """
    _quiet_libraries()
    sys.exit(_run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    from sonde.cli.app import Stopped, app

    try:
        app(args=None if arguments is None else list(arguments), prog_name="sonde")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else int(bool(leaving.code))
    except SondeError as error:
        print_error(error)
        return USER_ERROR
    except (Stopped, KeyboardInterrupt):
        _to_stderr("\nStopped. Finished stages and shards are kept: run the same command to go on.")
        return STOPPED
    except BrokenPipeError:
        # The reader (head, less) has left; nothing can be said to it any more.
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - lives until the process ends
        return 0
    except Exception:
        traceback.print_exc()
        _to_stderr(
            "\nThis is a fault in sonde or below it, not a mistake in what you gave. Finished work "
            "is kept.\nPlease report it with the lines above and the output of `sonde doctor`."
        )
        return CRASH
    return 0


def print_error(error: SondeError) -> None:
    """Print a user's mistake and how to mend it, on standard error."""
    _to_stderr(f"Error: {error.what}")
    if error.fix:
        _to_stderr(error.fix)


def _to_stderr(text: str) -> None:
    sys.stderr.write(text + "\n")


def _quiet_libraries() -> None:
    """Keep libraries' own notices and bars away; whoever sets a variable has the last word."""
    for name, value in {
        "TRANSFORMERS_VERBOSITY": "error",
        "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONWARNINGS": "ignore::FutureWarning",
    }.items():
        os.environ.setdefault(name, value)
