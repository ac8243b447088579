"""Stand-ins for what the small Caffe tree leaves out, made without a compiler.

libcaffe is linked with OpenCV's image codecs and image processing, which would bring a hundred
packages, and calls six of their functions, all about image files. `caffe/io.py` imports three
modules of skimage and scipy for the same purpose. The stand-ins satisfy the loader and the imports,
and say what is missing when somebody calls them.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

IMAGE_MESSAGE = (
    "this small Caffe reads no image files, because OpenCV's image functions are left out. "
    "Feed arrays instead, or use a full installation of python3-caffe"
)

_STRING = "NSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE"
# Mangled names of the cv:: functions that libcaffe and the tools import from each library.
LIBRARIES: dict[str, list[str]] = {
    "libopencv_imgcodecs.so.4.5": [
        f"_ZN2cv6imreadERK{_STRING}i",
        "_ZN2cv8imdecodeERKNS_11_InputArrayEi",
        f"_ZN2cv8imencodeERK{_STRING}RKNS_11_InputArrayERSt6vectorIhSaIhEERKSB_IiSaIiEE",
    ],
    "libopencv_imgproc.so.4.5": [
        "_ZN2cv6resizeERKNS_11_InputArrayERKNS_12_OutputArrayENS_5Size_IiEEddi",
        "_ZN2cv8cvtColorERKNS_11_InputArrayERKNS_12_OutputArrayEii",
    ],
}

_MISSING = '''
def {name}(*args, **kwargs):
    raise NotImplementedError({message!r})
'''
MODULES: dict[str, str] = {
    "skimage/__init__.py": _MISSING.format(name="img_as_float", message=IMAGE_MESSAGE),
    "skimage/io.py": _MISSING.format(name="imread", message=IMAGE_MESSAGE),
    "skimage/transform.py": _MISSING.format(name="resize", message=IMAGE_MESSAGE),
    "scipy/__init__.py": "",
    "scipy/ndimage.py": _MISSING.format(name="zoom", message=IMAGE_MESSAGE),
    # Python was started through the loader; a program that starts sys.executable needs that too.
    "sitecustomize.py": """import os
import sys

sys.executable = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                              "bin", "python3")
""",
}
# Stands alone, so that the tree also serves without prototools: TREE/bin/python3 has caffe.
LAUNCHER = """#!/bin/sh
root=$(dirname "$(dirname "$(readlink -f "$0")")")
here=$root/lib/x86_64-linux-gnu
libraries=$root/usr/lib/x86_64-linux-gnu
export PYTHONHOME="$root/usr" PYTHONNOUSERSITE=1
export PYTHONPATH="${PYTHONPATH:+$PYTHONPATH:}$root/usr/lib/python3/dist-packages:$root/stubs"
exec "$here/ld-2.31.so" --library-path \\
  "$libraries/openblas-pthread:$libraries/blas:$libraries/lapack:$here:$libraries" \\
  "$root/usr/bin/python3.9" "$@"
"""


def write_stubs(tree: Path) -> None:
    """Write the two shared libraries, the Python modules and the launcher into the tree."""
    # Formed like a fatal line of glog, so that it is read like any other reason.
    message = f"F0101 00:00:00.000000     0 opencv] {IMAGE_MESSAGE}.\n"
    for name, functions in LIBRARIES.items():
        library = shared_library(name, functions, message.encode())
        (tree / "usr/lib/x86_64-linux-gnu" / name).write_bytes(library)
    texts = {f"stubs/{name}": text for name, text in MODULES.items()}
    for name, text in dict(texts, **{"bin/python3": LAUNCHER}).items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    (tree / "bin/python3").chmod(0o755)


def shared_library(name: str, functions: Sequence[str], message: bytes) -> bytes:
    """An ELF shared library for x86-64 whose functions all print `message` and abort.

    Layout after the System V ABI: one segment to read and execute (headers, DT_HASH, symbols,
    strings, code), and one to write, because the loader relocates the dynamic section in place.
    File offsets equal addresses.
    """
    strings = b"\0" + b"".join(function.encode() + b"\0" for function in functions)
    name_at = len(strings)
    strings += name.encode() + b"\0"
    count = len(functions) + 1
    hash_at = 64 + 4 * 56
    symbols_at = _align(hash_at + 4 * (3 + count), 8)
    strings_at = symbols_at + 24 * count
    code_at = _align(strings_at + len(strings), 16)
    code = _machine_code(message)
    dynamic_at = _align(code_at + len(code), 4096)
    dynamic = b"".join(struct.pack("<QQ", *entry) for entry in (
        (14, name_at),  # DT_SONAME
        (4, hash_at), (5, strings_at), (6, symbols_at),  # DT_HASH, DT_STRTAB, DT_SYMTAB
        (10, len(strings)), (11, 24), (0, 0),  # DT_STRSZ, DT_SYMENT, DT_NULL
    ))  # fmt: skip
    pieces = {
        0: _headers(dynamic_at, code_at + len(code), len(dynamic)),
        hash_at: _hash_table(count),
        symbols_at: _symbols(functions, code_at),
        strings_at: strings, code_at: code, dynamic_at: dynamic,
    }  # fmt: skip
    image = bytearray(dynamic_at + len(dynamic))
    for position, piece in pieces.items():
        image[position : position + len(piece)] = piece
    return bytes(image)


def _align(position: int, step: int) -> int:
    return -(-position // step) * step


def _headers(dynamic_at: int, text_end: int, dynamic_size: int) -> bytes:
    identity = b"\x7fELF" + bytes([2, 1, 1]) + bytes(9)
    # ET_DYN for EM_X86_64, four program headers after this one, no sections.
    header = identity + struct.pack("<HHIQQQIHHHHHH", 3, 62, 1, 0, 64, 0, 0, 64, 56, 4, 64, 0, 0)
    segments = (
        (1, 5, 0, text_end, 4096),  # PT_LOAD, read and execute
        (1, 6, dynamic_at, dynamic_size, 4096),  # PT_LOAD, read and write
        (2, 6, dynamic_at, dynamic_size, 8),  # PT_DYNAMIC
        (0x6474E551, 6, 0, 0, 16),  # PT_GNU_STACK: no executable stack
    )
    return header + b"".join(
        struct.pack("<IIQQQQQQ", kind, flags, offset, offset, offset, size, size, align)
        for kind, flags, offset, size, align in segments
    )


def _hash_table(count: int) -> bytes:
    """One bucket: a chain through every symbol, which is quick enough for a handful."""
    chain = [0] + [index + 1 for index in range(1, count - 1)] + [0]
    return struct.pack(f"<III{count}I", 1, count, 1, *chain)


def _symbols(functions: Sequence[str], code_at: int) -> bytes:
    table, name_at = bytes(24), 1
    for function in functions:
        table += struct.pack("<IBBHQQ", name_at, 0x12, 0, 1, code_at, 1)  # global function
        name_at += len(function) + 1
    return table


def _machine_code(message: bytes) -> bytes:
    """write(2, message, size); kill(getpid(), SIGABRT)."""
    after_lea = bytes.fromhex("BA") + struct.pack("<I", len(message)) + bytes.fromhex(
        "B801000000 0F05"  # mov eax, 1 (write); syscall
        "B827000000 0F05 89C7"  # mov eax, 39 (getpid); syscall; mov edi, eax
        "BE06000000 B83E000000 0F05 0F0B"  # mov esi, 6; mov eax, 62 (kill); syscall; ud2
    )  # fmt: skip
    # mov edi, 2; lea rsi, [rip + distance to the message]
    start = bytes.fromhex("BF02000000 488D35") + struct.pack("<i", len(after_lea))
    return start + after_lea + message
