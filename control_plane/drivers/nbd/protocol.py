"""The numbers of the NBD protocol, fixed newstyle, as in doc/proto.md of the NBD project.

nbdkit would speak it too; its Python plugin lives in Debian's own interpreter, which does not see the
packages that Yui is installed with, and a process beside the control plane would have to be given the
repositories' keys.
"""

from __future__ import annotations

from struct import Struct

PORT = 10809
"""As registered with IANA."""

GREETING = b"NBDMAGICIHAVEOPT"
OPTION_MAGIC = b"IHAVEOPT"
OPTION = Struct(">8sII")
OPTION_REPLY = Struct(">QIII")
OPTION_REPLY_MAGIC = 0x3E889045565A9

FIXED_NEWSTYLE = 1
NO_ZEROES = 2

OPT_EXPORT_NAME, OPT_ABORT, OPT_LIST, OPT_STARTTLS = 1, 2, 3, 5
OPT_INFO, OPT_GO, OPT_STRUCTURED, OPT_SET_CONTEXT = 6, 7, 8, 10

ACK, INFO, CONTEXT = 1, 3, 4
ERR_UNSUPPORTED, ERR_INVALID, ERR_TLS_REQUIRED, ERR_UNKNOWN = (
    0x80000001,
    0x80000003,
    0x80000005,
    0x80000006,
)
INFO_EXPORT, INFO_BLOCK_SIZE = 0, 3
ALLOCATION = "base:allocation"
ALLOCATION_ID = 1

READ_ONLY_DISK = 1 | 2 | 4 | 1 << 8
"""HAS_FLAGS, READ_ONLY, SEND_FLUSH, CAN_MULTI_CONN."""
LARGEST = 32 * 2**20
"""Bytes that a client may ask for at once; what QEMU takes for the most."""
PREFERRED = 64 * 1024

REQUEST = Struct(">IHHQQI")
REQUEST_MAGIC = 0x25609513
READ, DISCONNECT, FLUSH, BLOCK_STATUS = 0, 2, 3, 7
JUST_ONE = 8
"""Of a question about a block's status: its first extent only."""

SIMPLE = Struct(">IIQ")
SIMPLE_MAGIC = 0x67446698
CHUNK = Struct(">IHHQI")
CHUNK_MAGIC = 0x668E33EF
DONE = 1
CHUNK_NONE, CHUNK_DATA, CHUNK_HOLE, CHUNK_STATUS, CHUNK_ERROR = 0, 1, 2, 5, 0x8001
HOLE, ZERO = 1, 2
EPERM, EIO, EINVAL = 1, 5, 22
