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

# What has been checked once is read again with less care: a token ends where the next cannot be part of it.
CHECKED_QUOTED = rb"(?:\"[^\"\\]*(?:\\.[^\"\\]*)*\"|'[^'\\]*(?:\\.[^'\\]*)*')"
CHECKED_STRING = rb"(?:" + CHECKED_QUOTED + rb"(?:" + BLANK + rb"(?=[\"']))?)+"
CHECKED_SCALAR = rb"(?:(?:-" + BLANK + rb")?[\w.+-]+|" + CHECKED_STRING + rb")"
CHECKED_LIST = rb"\[(?:[^\]\"'#{<]|" + CHECKED_QUOTED + rb"|#[^\n]*)*\]"
CHECKED_NAME = rb"(?:\w+|\[[^\]]*\])"

# `$NAME`, `${NAME}` and `$NAME$`, as templates in plain prototxt have them.
NAMED = rb"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*)(?:\$(?![\w{]))?)"

#: Every expression by name. Compiling takes longer than reading most files, so each is compiled when it is
#: first used: `grammar.NAME` is the compiled expression.
EXPRESSIONS = {
    # As many scalar fields as stand here, in one call.
    # The bound keeps the memory of one match small; the caller simply asks again.
    "SCALAR_RUN": rb"(?:" + NAME + COLON + SCALAR + SEPARATOR + BLANK + rb"){1,200}",
    # A field with a list of scalars.
    "LIST_FIELD": NAME + COLON + SCALAR_LIST + SEPARATOR + BLANK,
    # One scalar field of a checked text in its parts: name, and value with a list's brackets.
    "SCALAR_PARTS":
        rb"(" + CHECKED_NAME + rb")" + COLON + rb"(" + CHECKED_SCALAR + rb"|" + CHECKED_LIST + rb")"
        + SEPARATOR + BLANK,
    # One scalar of a checked list.
    "LIST_ELEMENT": CHECKED_SCALAR,
    # What may stand where a run of scalar fields ends: a message, a list of messages, or a closer.
    "OPENER":
        rb"(?P<name>" + NAME + rb")" + BLANK + rb"(?::" + BLANK + rb")?(?P<list>\[" + BLANK + rb")?"
        rb"(?P<bracket>[{<\]])" + BLANK,
    # A list of no messages needs no colon, and leaves nothing in the tree.
    "EMPTY_LIST": NAME + BLANK + rb"\[" + BLANK + rb"\]" + SEPARATOR + BLANK,
    "AFTER_FIELD": SEPARATOR + BLANK,
    "AFTER_MESSAGE": BLANK + rb"\]?" + SEPARATOR + BLANK,
    "NEXT_ELEMENT":
        BLANK + rb"(?:," + BLANK + rb"([{<])" + BLANK + rb"|\]" + SEPARATOR + BLANK + rb")",
    "LEADING_BLANK": BLANK,
    "ONE_SCALAR": SCALAR,
    "ONE_QUOTED": QUOTED,
    # A string up to its last quote, or up to what it must not hold.
    "BROKEN_STRING": DOUBLE_OPEN + rb"|" + SINGLE_OPEN,
    "ONE_NAME": NAME,
    "STRING_OR_COMMENT": QUOTED + rb"|(#[^\n]*)",
    # What a literal means: sign, and hexadecimal, octal or decimal digits; a float; an escape, or two for one sign.
    "INTEGER": rb"(-?)(?:0[xX]([0-9a-fA-F]+)|0([0-7]+)|([0-9]+))\Z",
    "DECIMAL": rb"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?[fF]?\Z",
    "OCTAL_OR_HEX": rb"-?0[0-9xX]",
    "INFINITY_OR_NAN": rb"(?i:-?(?:inf|infinity|nan)\Z)",
    "ESCAPED":
        rb"\\(?:u|U0000)([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
        rb"|\\(?:[0-7]{1,3}|x[0-9a-fA-F]{1,2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)",
    # Placeholders, and what may hold a `$` that begins none.
    "PLACEHOLDER": NAMED,
    "PLACEHOLDER_OR_QUOTED":
        rb"\"(?:[^\"\\\n]|\\[^\n])*\"|'(?:[^'\\\n]|\\[^\n])*'|#[^\n]*|" + NAMED,
}


def __getattr__(name: str) -> re.Pattern:
    if name not in EXPRESSIONS:
        raise AttributeError(name)
    globals()[name] = compiled = re.compile(EXPRESSIONS[name], re.DOTALL)
    return compiled
