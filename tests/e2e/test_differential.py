"""
The strict scanner against PostgreSQL's JSON parser: jsonb accepts each `data` that hooksd accepts, with the same value,
and refuses each `data` that hooksd refuses. EXCEPTIONS lists the differences.
"""

import json
import random
import re
import string

import pytest

from harness.client import encode
from harness.waiting import SANITIZED

# Each value is put into {"x": ...}, which makes it a valid `data`.
VALUES = [
    # literals
    "null", "true", "false", "nul", "nulll", "True", "NULL", "tru", "t", "undefined",
    # numbers
    "0", "-0", "1", "-1", "10", "01", "-01", "00", "+1", "1.", ".1", "1.0", "-1.5e10", "1e5", "1E5", "1e+5",
    "1e-5", "1e", "1e+",
    "1.e5", "0e0", "0e", "0x10", "1_000", "--1", "-", "1-1", "1 2", "12345678901234567890",
    "123456789.123456789e-5",
    "0.1000000000000000055511151231257827", "1e400", "-1e400", "1e-400", "9" * 400, "0." + "0" * 400 + "1",
    "1e99999", "-NaN",
    "\u0661", "1\u00a0", "2e1.5", "1,2",
    # strings
    '""', '"a"', '"\\""', '"\\\\"', '"\\/"', '"\\b\\f\\n\\r\\t"', '"\\u0041"', '"\\u00e9"', '"\\uD83D\\uDE00"',
    '"\\ud83d\\ude00"',
    '"\\a"', '"\\x41"', '"\\u"', '"\\u1"', '"\\u12"', '"\\u123"', '"\\u123g"', '"\\U0041"', '"\\\'"', '"\\',
    '"\\"', '"a', 'a"', "'a'",
    '"\t"', '"\n"', '"\r"', '"\x01"', '"\x1f"', '"\x7f"', '"\u0080"', '"\ufffe"', '"\uffff"', '"\ufeff"',
    '"\U0010ffff"', '"é日🤖"', '"\\u0000x"'[:-2] + '1"',
    # arrays and objects
    "[]", "[1]", "[1,]", "[,1]", "[1,,2]", "[", "]", "[1", "[1 2]", "[1;2]", "[[[[]]]]", "[[]", "[]]", "[1}", "{}",
    "{", "}", "{]", "[}",
    '{"a":1}', '{"a":1,}', '{,"a":1}', '{"a"}', '{"a":}', '{"a" 1}', '{"a"::1}', "{a:1}", "{'a':1}", "{1:1}",
    "{null:1}", '{"a":1 "b":2}',
    '{"a":1,"a":2}', '{"":1}', '{"a":1}}', '{"\\u0061":1,"a":2}', '{"a":{"b":{"c":[{}]}}}', "[" * 300 + "]" * 300,
    '{"a":' * 200 + "1" + "}" * 200,
    # white space and comments
    " 1 ", "\t1\n", "\r\n1", "\x0b1", "\x0c1", "\u00a01", "\u20281", "\ufeff1", "1\x00", "/**/1", "1//x", "#1", "",
    " ", "\\u0031",
]

# Bytes, because these are not valid text.
RAW_VALUES = [
    b'"\xff"', b'"\xc0\x80"', b'"\xc0\xaf"', b'"\xe0\x80\xaf"', b'"\xed\xa0\x80"', b'"\xed\xbf\xbf"',
    b'"\xf4\x90\x80\x80"', b'"\xf8\x88\x80\x80\x80"',
    b'"\xc3"', b'"\xe6\x97"', b'"\xf0\x9f\xa4"', b'"\x80"', b'"\xc3("', b'"a\xe2\x28\xa1"', b'"\xf0\x90\x80\x80"',
    b'"\xef\xbf\xbd"', b"\xef\xbb\xbf1", b"\xff\xfe1\x00",
    b'"\xed\x9f\xbf"', b'"\xee\x80\x80"', b'"\xf4\x8f\xbf\xbf"',
]

# hooksd accepts these, jsonb refuses them: [value, the value stored instead, or None for a dead letter].
EXCEPTIONS = [
    ('"\\u0000"', '"\ufffd"'),
    ('"a\\u0000b\\u0000"', '"a\ufffdb\ufffd"'),
    ('{"\\u0000":{"\\u0000x":["\\u0000"]}}', '{"\ufffd":{"\ufffdx":["\ufffd"]}}'),
    ('"\\\\u0000"', '"\\\\u0000"'),
    ('"\\\\\\u0000"', '"\\\\\ufffd"'),
    ('"\\ud800"', '"\ufffd"'),
    ('"\\udc00"', '"\ufffd"'),
    ('"\\ud800\\ud800"', '"\ufffd\ufffd"'),
    ('"\\udc00\\ud800"', '"\ufffd\ufffd"'),
    ('"\\ud83e\\udd16\\ud83e"', '"🤖\ufffd"'),
    ('"\\ud83ex\\udd16"', '"\ufffdx\ufffd"'),
    ('"\\ud83e\\n\\udd16"', '"\ufffd\\n\ufffd"'),
    ('"\\ud83e\\\\udd16"', '"\ufffd\\\\udd16"'),
    ("NaN", "null"),
    ("Infinity", "null"),
    ("-Infinity", "null"),
    ("[NaN,{\"NaN\":-Infinity}]", '[null,{"NaN":null}]'),
    ("1e131072", None),
    ("-1e200000", None),
    ("1" + "0" * 131072, None),
    ("1e99999999999999999999", None),
]

HUGE_EXPONENT = re.compile(rb"\d[eE][+-]?\d{5}")

TRY_JSONB = """
CREATE FUNCTION try_jsonb(raw bytea) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	RETURN convert_from(raw, 'UTF8')::jsonb;
EXCEPTION WHEN others THEN
	RETURN NULL;
END $$"""


def random_value(rng, depth):
    """The text of a random JSON value, in any notation that JSON allows."""
    kind = rng.randrange(9 if depth else 6)
    space = rng.choice(["", "", "", " ", "\n", "\t\r"])
    if kind == 0:
        return rng.choice(["null", "true", "false"])
    if kind <= 2:
        number = rng.choice(["0", str(rng.randrange(1, 10 ** rng.randrange(1, 40)))])
        fraction = rng.choice(["", f".{rng.randrange(10**9):09}"])
        exponent = rng.choice(["", "", f"{rng.choice('eE')}{rng.choice(['', '+', '-'])}{rng.randrange(400):03}"])
        return rng.choice(["", "-"]) + number + fraction + exponent
    if kind <= 5:
        return random_string(rng)
    items = [random_value(rng, depth - 1) for _ in range(rng.randrange(5))]
    if kind == 6:
        return f"[{space}" + f"{space},".join(items) + f"{space}]"
    members = [f"{random_string(rng)}{space}:{space}{item}" for item in items]
    return f"{{{space}" + f"{space},{space}".join(members) + f"{space}}}"


def random_string(rng):
    def character():
        kind = rng.randrange(6)
        if kind == 0:
            return rng.choice(['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"])
        if kind == 1:
            code = rng.choice([rng.randrange(1, 0xD800), rng.randrange(0xE000, 0x10000)])
            return f"\\u{code:04x}" if rng.random() < 0.5 else f"\\u{code:04X}"
        if kind == 2:
            return f"\\ud{rng.randrange(0x800, 0xC00):03x}\\ud{rng.randrange(0xC00, 0x1000):03x}"
        if kind == 3:
            return chr(rng.choice([rng.randrange(0x80, 0xD800), rng.randrange(0xE000, 0x110000)]))
        return rng.choice(string.ascii_letters + string.digits + " {}[]:,'/")

    return '"' + "".join(character() for _ in range(rng.randrange(12))) + '"'


def damaged(rng, text):
    """The text with one byte changed, removed or doubled, or cut off."""
    data = bytearray(text.encode())
    position = rng.randrange(len(data))
    kind = rng.randrange(4)
    if kind == 0:
        data[position] = rng.choice([*b'{}[]",:\\019.eE-+ ntfu/\n', rng.randrange(256)])
    elif kind == 1:
        del data[position]
    elif kind == 2:
        data.insert(position, data[rng.randrange(len(data))])
    else:
        del data[position:]
    return bytes(data)


def documents():
    rng = random.Random(2025)
    texts = [b'{"x":' + encode(value) + b"}" for value in VALUES + RAW_VALUES]
    for _ in range(300 if SANITIZED else 1000):
        value = random_value(rng, 4)
        texts.append(encode('{"x":' + value + "}"))
        texts += [b'{"x":' + damaged(rng, value) + b"}" for _ in range(2)]
    # Without NUL, NaN and Infinity, which EXCEPTIONS has.
    return [text for text in texts if not any(word in text for word in (b"\\u0000", b"NaN", b"Infinity"))]


def has_lone_surrogate(text):
    """Whether the text holds a lone surrogate, which Python's strings can hold and UTF-8 cannot."""
    try:
        json.dumps(json.loads(text), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False


def post_all(daemon, texts):
    """Posts each text as the data of an event whose session_id is its index. Returns the statuses."""
    statuses = []
    with daemon.client() as client:
        for index, text in enumerate(texts):
            body = b'{"event_type":"a","session_id":"%d","data":' % index + text + b"}"
            statuses.append(client.post_event(body).status)
    return statuses


def test_hooksd_and_jsonb_accept_the_same_data_with_the_same_value(database, hooksd):
    daemon = hooksd(database, ACK="queued", ACCEPTORS=1)
    texts = documents()
    statuses = post_all(daemon, texts)
    assert set(statuses) == {202, 422}
    daemon.stop()

    database.query(TRY_JSONB)
    database.query("CREATE TABLE document (number int, raw bytea)")
    with database.server.connect(database.name) as connection:
        connection.cursor().executemany("INSERT INTO document VALUES (%s, %s)", list(enumerate(texts)))
    rows = database.query(
        "SELECT number, jsonb_typeof(parsed), parsed = data, left(parsed::text, 200), left(data::text, 200)"
        " FROM (SELECT number, try_jsonb(raw) AS parsed FROM document) AS d"
        " LEFT JOIN hook_events ON session_id = number::text"
    )
    assert len(rows) == len(texts)
    wrong = []
    for number, kind, same, parsed, stored in rows:
        text, accepted = texts[number], statuses[number] == 202
        if accepted and not same and not has_lone_surrogate(text) and not HUGE_EXPONENT.search(text):
            wrong.append(f"accepted {text!r}: stored {stored!r}, jsonb makes {parsed!r}")
        if not accepted and kind == "object":
            wrong.append(f"refused {text!r}, jsonb makes {parsed!r}")
    assert wrong[:20] == []
    accepted = statuses.count(202)
    assert len(texts) / 4 < accepted < len(texts) * 3 / 4, "the texts hold many valid and many invalid ones"


@pytest.mark.parametrize("form", ["alone", "among others"])
def test_data_that_jsonb_cannot_hold_is_stored_as_listed(database, hooksd, form):
    daemon = hooksd(database)
    texts = [b'{"x":' + encode(value) + b"}" for value, _ in EXCEPTIONS]
    if form == "alone":
        assert set(post_all(daemon, texts)) == {202}
    else:
        events = [b'{"event_type":"a","session_id":"%d","data":' % n + text + b"}" for n, text in enumerate(texts)]
        assert daemon.post_batch(b"[" + b",".join(events) + b"]").json()["accepted"] == len(events)
    stored = dict(database.query("SELECT session_id::int, data FROM hook_events"))
    for number, (value, instead) in enumerate(EXCEPTIONS):
        if instead is None:
            assert number not in stored, value[:40]
        else:
            assert stored[number] == {"x": json.loads(instead)}, value


@pytest.mark.parametrize("storage", ["jsonl", "sqlite"])
def test_python_reads_the_data_of_other_stores_as_it_was_sent(hooksd, storage):
    """The same texts in the other stores: Python reads every stored document as it reads the sent one."""
    daemon = hooksd(STORAGE_TYPE=storage, ACK="queued", ACCEPTORS=1)
    texts = documents()
    statuses = post_all(daemon, texts)
    daemon.stop()
    accepted = [text for text, status in zip(texts, statuses) if status == 202]
    stored = daemon.stored_events()
    assert len(stored) == len(accepted)
    for text, event in zip(accepted, stored):
        assert event["data"] == json.loads(text)
