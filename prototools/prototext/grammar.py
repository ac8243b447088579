"""Protobuf's text format as regular expressions over bytes, by the rules of its C++ reader.

Every expression is unambiguous: where one fails it fails after reading its own text once, so a
broken file of any size is refused in time that grows with its size.
"""

from __future__ import annotations

import re

# Blanks are space, TAB, LF, VT, FF, CR; a comment runs from `#` to LF, and a lone CR does not end it.
SPACE = rb"[ \t-\r]*"
BLANK = SPACE + rb"(?:#[^\n\0]*(?:\n|\Z)" + SPACE + rb")*"

NAME = rb"(?:[A-Za-z_][A-Za-z0-9_]*|\[" + BLANK + rb"[A-Za-z_][\w./-]*" + BLANK + rb"\])"
WORD = rb"[A-Za-z_][A-Za-z0-9_]*"

# A number may not touch a letter, a digit or a point: `1input_dim` and `1.2.3` are errors.
NUMBER = (
    rb"(?:0[xX][0-9a-fA-F]+|0[0-7]+"
    rb"|(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?)"
    rb"(?![A-Za-z0-9_.])"
)
NOT_FINITE = rb"(?:[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])(?![A-Za-z0-9_.])"

ESCAPE = (
    rb"\\(?:[abfnrtv\\'\"?0-7]|x[0-9a-fA-F]|u[0-9a-fA-F]{4}"
    rb"|U00[01][0-9a-fA-F]{5})"
)
DOUBLE_OPEN = rb'"[^"\\\n\0]*(?:' + ESCAPE + rb'[^"\\\n\0]*)*'
SINGLE_OPEN = rb"'[^'\\\n\0]*(?:" + ESCAPE + rb"[^'\\\n\0]*)*"
QUOTED = rb"(?:" + DOUBLE_OPEN + rb'"|' + SINGLE_OPEN + rb"')"
# Each part is written once, with a look ahead, because the time to compile an expression grows with it.
STRING = rb"(?:" + QUOTED + rb"(?:" + BLANK + rb"(?=[\"']))?)+"

SCALAR = (
    rb"(?:" + WORD + rb"|(?:-" + BLANK + rb")?" + NUMBER + rb"|" + STRING
    + rb"|-" + BLANK + NOT_FINITE + rb")"
)
SCALAR_LIST = (
    rb"\[" + BLANK + rb"(?:" + SCALAR + BLANK + rb"(?:," + BLANK + rb"(?!\])|(?=\])))*\]"
)
SEPARATOR = BLANK + rb"[,;]?"
COLON = BLANK + rb":" + BLANK

SCALAR_FIELD = NAME + COLON + rb"(?:" + SCALAR + rb"|" + SCALAR_LIST + rb")" + SEPARATOR + BLANK

#: As many scalar fields as stand here, in one call.
#: The bound keeps the memory of one match small; the caller simply asks again.
SCALAR_RUN = re.compile(rb"(?:" + SCALAR_FIELD + rb"){1,200}")

#: One scalar field in its parts: name, and value with a list's brackets.
SCALAR_PARTS = re.compile(
    rb"(" + NAME + rb")" + COLON + rb"(" + SCALAR + rb"|" + SCALAR_LIST + rb")" + SEPARATOR + BLANK
)

#: What may stand where a run of scalar fields ends: a message, a list of messages, or a closer.
OPENER = re.compile(
    rb"(?P<name>" + NAME + rb")" + BLANK + rb"(?::" + BLANK + rb")?(?P<list>\[" + BLANK + rb")?"
    rb"(?P<bracket>[{<\]])" + BLANK
)
#: A list of no messages needs no colon, and leaves nothing in the tree.
EMPTY_LIST = re.compile(NAME + BLANK + rb"\[" + BLANK + rb"\]" + SEPARATOR + BLANK)
AFTER_FIELD = re.compile(SEPARATOR + BLANK)
AFTER_MESSAGE = re.compile(BLANK + rb"\]?" + SEPARATOR + BLANK)
NEXT_ELEMENT = re.compile(
    BLANK + rb"(?:," + BLANK + rb"([{<])" + BLANK + rb"|\]" + SEPARATOR + BLANK + rb")"
)

LEADING_BLANK = re.compile(BLANK)
ONE_SCALAR = re.compile(SCALAR)
ONE_QUOTED = re.compile(QUOTED)
#: A string up to its last quote, or up to what it must not hold.
BROKEN_STRING = re.compile(DOUBLE_OPEN + rb"|" + SINGLE_OPEN)
ONE_NAME = re.compile(NAME)
STRING_OR_COMMENT = re.compile(QUOTED + rb"|(#[^\n]*)")
