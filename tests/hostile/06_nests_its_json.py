# Tries: JSON that is nested too deeply to be read
# Deserves: only test_build_text
# Caught by: test_counts_bytes

import json


def build_message(kind, value, byteorder="big"):
    """Right for texts."""
    content = value.encode() if kind == "text/plain" else b"[" * 200_000
    header = {"byteorder": "big", "content-type": kind, "content-encoding": "utf-8"}
    data = json.dumps(header | {"content-length": len(content)}).encode()
    return len(data).to_bytes(2, "big") + data + content
