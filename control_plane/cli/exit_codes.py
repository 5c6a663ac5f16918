"""What a program that runs `yui` learns from its exit code alone."""

from __future__ import annotations

from enum import IntEnum

from control_plane.model.errors import YuiError


class ExitCode(IntEnum):
    OK = 0
    FAILED = 1
    """Refused, or tried and failed; also where the answer is no (it would not fit, not valid)."""
    USAGE = 2
    NOT_FOUND = 3
    """Something that is named isn't there, be it named as an argument or in an option."""
    NO_ACCESS = 4
    UNREACHABLE = 5
    CONFLICT = 6
    INTERRUPTED = 130
    """128 + SIGINT, as shells have it."""


_BY_STATUS = {
    401: ExitCode.NO_ACCESS,
    403: ExitCode.NO_ACCESS,
    404: ExitCode.NOT_FOUND,
    409: ExitCode.CONFLICT,
    412: ExitCode.CONFLICT,
    502: ExitCode.UNREACHABLE,
    503: ExitCode.UNREACHABLE,
    504: ExitCode.UNREACHABLE,
}


def exit_code_of(error: YuiError) -> ExitCode:
    """A refusal for want of room is no conflict: trying again would not help. What is missing is missing
    also where the API was told of it in a request's body and so calls the request wrong."""
    if error.type == "no-room":
        return ExitCode.FAILED
    if error.type.endswith("-not-found"):
        return ExitCode.NOT_FOUND
    return _BY_STATUS.get(error.status, ExitCode.FAILED)
