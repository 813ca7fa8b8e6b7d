"""Pictures of pages for the documentation. Each says which version of its page it shows."""

import hashlib
import os
import struct
import zlib
from pathlib import Path

import pytest

MARK = b"tEXtpage\0"
"""The keyword of the PNG's text that says which page it shows; https://www.w3.org/TR/png-3/#11tEXt"""


def keep(picture: bytes, file: Path, page: Path) -> None:
    """Fails, with `picture` put into `file`, where that shows another `page`."""
    shown = hashlib.sha256(page.read_bytes()).hexdigest()
    if file.exists() and MARK + shown.encode() in file.read_bytes():
        return
    file.parent.mkdir(exist_ok=True)
    unfinished = Path(f"{file}.{os.getpid()}")
    unfinished.write_bytes(_stamped(picture, shown))
    unfinished.replace(file)
    pytest.fail(f"{file} showed another page; it is taken anew: look at it and commit it")


def _stamped(picture: bytes, page: str) -> bytes:
    """Returns the PNG with the hash of the page in a text chunk, right after its header."""
    content = MARK + page.encode()
    checksum = struct.pack(">I", zlib.crc32(content))
    text = struct.pack(">I", len(content) - 4) + content + checksum
    header_end = 8 + 25
    return picture[:header_end] + text + picture[header_end:]
