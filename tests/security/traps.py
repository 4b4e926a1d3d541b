"""What makes servers stumble: the traps of reliability B.5 and of cases 33, 37, 38 and 39, as texts and as bytes."""

from __future__ import annotations

from typing import Final

DIGITS: Final = "9" * 5_000
DEEP: Final = 100_000

#: Values of parameters, as text.
TEXTS: Final = {
    "empty": "", "blank": " ", "zero": "0", "negative": "-1", "minus zero": "-0", "leading zeros": "000004152368852405295",
    "plus": "+5", "beyond 64 bits": "99999999999999999999", "largest": str(2**63 - 1), "one too large": str(2**63),
    "one too small": str(-(2**63) - 1), "largest unsigned": str(2**64 - 1), "thousands of digits": DIGITS,
    "minus thousands of digits": f"-{DIGITS}", "fraction": "1.5", "exponent": "1e400", "NaN": "NaN",
    "infinity": "Infinity", "minus infinity": "-Infinity", "hexadecimal": "0x7f", "underscore": "1_000",
    "null": "null", "true": "true", "quoted": '"x"', "object": "{}", "list": "[]", "list of lists": "[[[]]]",
    "list of null": "[null]", "list of objects": '[{"a":1}]', "list with NUL": '["\\u0000"]',
    "list with a lone surrogate": '["\\ud800"]', "list with a huge number": f"[{DIGITS}]", "list of NaN": "[NaN]",
    "list of infinity": "[1e400]", "unclosed list": '["a', "BOM": "\ufeff[]", "BOM and digits": "\ufeff1",
    "deep list": "[" * 2_000, "deep and closed": "[" * 70 + "]" * 70, "deep object": '{"a":' * 2_000,
    "duplicate keys": '{"a":1,"a":2}', "object with NUL key": '{"\\u0000":1}',
    "Arabic-Indic digits": "٣٣٣", "full-width digits": "１２３", "superscript": "²", "Roman numeral": "Ⅷ",
    "zero-width": "4152368852405295\u200b", "composed": "café", "decomposed": "cafe\u0301",
    "right to left": "\u202e4152", "emoji": "👋🏽" * 300, "emoji family": "👨‍👩‍👧‍👦", "line separators": "a\u2028b\u2029c",
    "control characters": "\x01\x02\x1b[31m\x7f", "CRLF": "a\r\nSet-Cookie: x=1\r\n\r\nb", "tab": "\t",
    "quote": "' OR '1'='1", "double quote": '" OR ""="', "statement": "1; DROP TABLE person; --",
    "union": "0 UNION SELECT secret_sealed FROM app", "comment": "/**/", "placeholder": ":id", "dollar": "$1",
    "percent": "%", "percent s": "%s%n%x", "braces": "{id}", "format": "{0.__class__.__mro__}", "doubled": "{{}}",
    "backslash": "\\", "path": "../../etc/passwd", "reference": "{result=a:$.data.*.id}", "script": "<script>alert(1)</script>",
    "address": "http://169.254.169.254/", "long": "x" * 70_000, "many commas": "," * 50_000, "word": "me", "app": "app",
}  # fmt: skip
#: The same as bytes, for query strings and forms, where text is percent-encoded by whoever sends it.
BYTES: Final = {
    "NUL": b"%00", "NUL inside": b"a%00b", "overlong slash": b"%C0%AF", "overlong NUL": b"%C0%80", "cut short": b"%E2%82",
    "surrogate": b"%ED%A0%80", "beyond Unicode": b"%F5%80%80%80", "latin-1": b"%E9", "raw latin-1": b"\xe9", "raw": b"\xff\xfe",
    "half an escape": b"%", "bad escape": b"%GG", "double escape": b"%2500", "plus signs": b"+++", "equals": b"a=b=c",
    "raw NUL": b"\x00", "raw newline": b"a\r\nb",
}  # fmt: skip
#: `fields` that cost more than anybody may ask for (case 33).
FIELDS_BOMBS: Final = {
    "deep": "ids_for_apps{app{" * 30, "deep and closed": "accounts{" * 9 + "id" + "}" * 9,
    "deep of nonsense": "a{" * 5_000 + "}" * 5_000, "ten thousand names": ",".join(f"f{n}" for n in range(10_000)),
    "six hundred names": ",".join(["name"] * 600), "a million commas": "," * 1_000_000,
    "unbalanced": "id{" * 100, "unbalanced the other way": "id" + "}" * 100, "parentheses": "id." + "as(" * 600,
    "limits on every level":
    "businesses.limit(100){owned_apps.limit(100){id},owned_pages.limit(100){id}}",
    "aliases": ",".join(f"businesses.as(b{n}).limit(100){{owned_pages.limit(100)}}" for n in range(50)),
    "unclosed arguments": "ids_for_apps.limit(", "arguments of arguments": "ids_for_apps.limit(((((5)))))",
    "a megabyte in one name": "n" * 1_000_000, "NUL": "id\0", "spaces": " " * 100_000 + "id",
}  # fmt: skip
