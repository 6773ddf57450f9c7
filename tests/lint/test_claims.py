"""
The documents agree with the program: options and their defaults, paths, scopes, error codes, metrics, constants. The
program prints the tables of docs/configuration.md and docs/metrics.md, which other tests compare.
"""

import re
import unittest

from tree import LAYERS, ROOT, files
from test_markdown import FENCE

PAGES = ("README.md", *(f"docs/{name}.md" for name in (
    "deliveries", "events", "operations", "running", "security", "storage", "subscriptions", "webhooks", "webhooks-reference")))
OPTION_LIST = (ROOT / "config/option_list.def").read_text()
OPTION = re.compile(r'^(OPTION|SECRET)\(\w+, (\w+),(.*?)(?=^(?:OPTION|SECRET)\(|^#undef)', re.MULTILINE | re.DOTALL)
ROUTE = re.compile(r'^(?:OPERATION\(\w+, | {4}\{)"(\w+)", "(/[^"]*)", (?:COUNTER_\w+, SCOPE_)?(\w+),', re.MULTILINE)
OURS = re.compile(r"/(v1/(?!admin$)|events|health|livez|readyz|metrics|openapi|console)")
METHOD = re.compile(r"GET|HEAD|POST|PATCH|PUT|DELETE")
# Variables of other programs and libraries, words of HTTP, SQL and C, and placeholders in examples.
NO_OPTIONS = set("""
    ANALYZE BYPASSRLS CHECK CHECKPOINT COPY DATABASE DELETE DIRECTORY ENDPOINT FILE GET HL_URL HOME HTTP2 IANA ID INFO JSONL KEY KRB5CCNAME
    LOGGED MONTH NAME NEW NOTIFY_SOCKET NULL ONLINE OPTIONS PATCH PGPASSFILE PID POD POST PR_SET_DUMPABLE PVC RAISE SECRET SIGKILL
    SIGSTOP SSL_CERT_FILE STATE STORE TERM TIME UNLOGGED VACUUM VOLUME HUP INT KILL CONT ABORT ROLLBACK LOCK TABLE ALTER ADD PRIMARY SET
    SELECT FROM RESTARTS DNS TLS TRUNCATE WAL READY CONFLICT SECURITY AUTH_REQUIRED CHANGELOG HL_ INSUFFICIENT_SCOPE ORDER PATH UTF8
""".split())
# (page, pattern around a default, option). The tables of docs/security.md name the option in a column.
DEFAULTS = (
    ("README.md", r"^\| `PORT`, `HOST` \| `(\d+)`", "PORT"), ("README.md", r"^\| `PORT`, `HOST` \| `\d+`, `(.*?)`", "HOST"),
    ("README.md", r"^\| `DATA_DIR` \| `(.*?)`", "DATA_DIR"), ("README.md", r"^\| `ACK` \| `(.*?)`", "ACK"),
    ("docs/events.md", r"`Keep-Alive: timeout=(\d+)`", "IDLE_TIMEOUT_SECONDS"),
    ("docs/deliveries.md", r"`HL_RETENTION_SECS`, (\d+ days)", "HL_RETENTION_SECS"),
    ("docs/deliveries.md", r"`HL_ATTEMPT_RETENTION_SECS`, (\d+ days)", "HL_ATTEMPT_RETENTION_SECS"),
    ("docs/webhooks.md", r"again: after (.*?), about three days \(`HL_RETRY_SCHEDULE`", "HL_RETRY_SCHEDULE"),
)
UNITS = {"": 1, "ms": 0.001, "s": 1, "min": 60, "m": 60, "h": 3600, "day": 86400, "second": 1, "minute": 60, "hour": 3600,
         "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}
NUMBER = re.compile(r"([\d,]*\d)(?: ?(KiB|MiB|GiB|ms|min|s|m|h|day|second|minute|hour)s?\b)?")
WORDS = dict(zip("one two three four five six seven eight nine ten".split(), range(1, 11)))
# (page, words around a number, file, macro, the number's unit in units of the macro)
CONSTANTS = (
    ("deliveries", "connection must stand after {}", "courier/transfer.c", "CONNECT_TIMEOUT_MS", 0.001),
    ("deliveries", "reads up to {} of the reply's body", "courier/response.h", "REPLY_BODY_MAX", 1),
    ("deliveries", "at least after {}", "courier/retry_after.h", "RETRY_AFTER_LEAST_MS", 0.001),
    ("deliveries", "at most after {}", "courier/retry_after.h", "RETRY_AFTER_MOST_MS", 0.001),
    ("deliveries", "attempt again after {} to", "courier/verdict.c", "OUR_WAIT_LEAST_MS", 0.001),
    ("deliveries", "attempt again after 1 to {}", "courier/verdict.c", "OUR_WAIT_MOST_MS", 0.001),
    ("deliveries", "known addresses serve for {}", "courier/resolver.c", "STALE_US", 1e-6),
    ("deliveries", "endpoint rests for {}", "courier/verdict.c", "NAME_WAIT_MS", 0.001),
    ("deliveries", "looked up again after {}", "courier/resolver.c", "KNOWN_US", 1e-6),
    ("deliveries", "opens after {} failures in a row", "courier/breaker.c", "FAILURES_LEAST", 1),
    ("deliveries", "attempts of the last {}", "courier/breaker.h", "BREAKER_SECONDS", 1),
    ("deliveries", "after {} refused connections", "courier/breaker.c", "REFUSALS_LEAST", 1),
    ("deliveries", "sent as a probe, after {}", "courier/breaker.c", "PROBE_INTERVAL_LEAST_US", 1e-6),
    ("deliveries", "as long each time, up to {}. After", "courier/breaker.c", "PROBE_INTERVAL_MOST_US", 1e-6),
    ("deliveries", "After {} probes that succeed", "courier/breaker.c", "SUCCESSES_LEAST", 1),
    ("deliveries", "begins requests for at most {}", "courier/lease.h", "LEASE_BEGIN_US", 1e-6),
    ("deliveries", "replays that have ended | {}", "store/webhooks/replay_rows.h", "REPLAYS_KEPT_MS", 0.001),
    ("webhooks-reference", "at most and by default {};", "control/listing.h", "LIST_LIMIT_MAX", 1),
    ("webhooks-reference", "at most about {} tests of a", "control/test_waits.h", "TEST_WAITS_TENANT_MOST", 1),
    ("webhooks-reference", "tests of a tenant (429) and {} of all", "control/test_waits.h", "TEST_WAITS_MOST", 1),
    ("webhooks-reference", "One request makes at most {} jobs", "event/publish_outcome.h", "PUBLISH_JOBS_MAX", 1),
    ("webhooks-reference", "at most so many (up to {})", "control/admin_top.h", "ADMIN_TOP_MOST", 1),
    ("webhooks-reference", "failed in the last {}, of", "store/webhooks/top_rows.h", "TOP_WINDOW_MS", 0.001),
    ("webhooks-reference", "five minutes, of {} attempts", "store/webhooks/top_rows.h", "TOP_ATTEMPTS_MOST", 1),
    ("webhooks-reference", "any other status. After {} of silence", "control/stream.c", "SILENCE_US", 1e-6),
    ("webhooks-reference", "kept in memory: {} on a node", "control/stream_room.h", "STREAMS_BYTES_MAX", 1),
    ("webhooks-reference", "needed more than {} for", "control/stream_room.c", "SLOW_US", 1e-6),
    ("webhooks-reference", "A node serves {} streams", "control/streams.h", "STREAMS_MAX", 1),
    ("webhooks-reference", "streams (503 above), {} of a tenant", "control/streams.h", "STREAMS_TENANT_MAX", 1),
    ("webhooks-reference", "tenant with more than {} attempts", "control/stream_feed.h", "STREAM_PLACES_MAX", 1),
    ("webhooks-reference", "slices of up to {}, in the embedded", "control/requeue.c", "SLICE_LETTERS", 1),
    ("webhooks-reference", "embedded store of up to {}, each", "control/requeue.c", "SLICE_LETTERS_EMBEDDED", 1),
    ("webhooks-reference", "one event, or up to {} |", "control/replay_request.h", "REPLAY_IDS_MAX", 1),
    ("webhooks-reference", "of a range {} unless given", "control/replay_request.h", "REPLAY_LIMIT", 1),
    ("webhooks-reference", "a second at most, up to {} |", "control/replay_request.h", "REPLAY_RATE_MAX", 1),
    ("webhooks-reference", "lower bound: the first {} events", "control/replay_matched.c", "COUNTED_MOST", 1),
    ("webhooks-reference", "A replay of up to {} events", "control/replays.c", "SMALL_EVENTS", 1),
    ("webhooks-reference", "A token is valid for {}", "control/inbox.c", "TOKEN_LIVES_MS", 0.001),
    ("webhooks-reference", "lists the newest {} messages", "store/webhooks/inbox_rows.h", "INBOX_KEPT", 1),
    ("events", "A node serves {} such streams", "control/streams.h", "STREAMS_MAX", 1),
    ("events", "such streams, {} of a tenant", "control/streams.h", "STREAMS_TENANT_MAX", 1),
    ("events", "An event may have {} such", "ingest/unknown.h", "UNKNOWN_FIELDS_MAX", 1),
    ("events", "nesting up to {} levels", "event/scan.h", "JSON_DEPTH_MAX", 1),
    ("events", "It has the first {} reasons", "ingest/decode.h", "DECODE_ERRORS_MAX", 1),
    ("events", "there are more than {} headers", "server/head.h", "HEAD_FIELDS_MAX", 1),
    ("events", "`Idempotency-Key` (1 to {} visible", "ingest/headers.h", "IDEMPOTENCY_KEY_MAX", 1),
    ("subscriptions", "A topic is 1 to {} characters", "event/topic.h", "TOPIC_CHARS_MAX", 1),
    ("subscriptions", "at most {} steps and", "event/rule.h", "RULE_PATH_STEPS_MAX", 1),
    ("subscriptions", "steps and {} bytes. A step", "event/rule.h", "RULE_PATH_BYTES_MAX", 1),
    ("subscriptions", "A number of more than {} characters", "event/json_number.h", "JSON_NUMBER_CHARS_MAX", 1),
    ("subscriptions", "A filter has at most {} bytes", "event/rule.h", "RULE_BYTES_MAX", 1),
    ("subscriptions", "bytes and {} conditions", "event/filter.h", "FILTER_NODES_MAX", 1),
    ("subscriptions", "those nested at most {} deep", "event/filter.h", "FILTER_DEPTH_MAX", 1),
    ("subscriptions", "A transform has at most {} bytes", "event/rule.h", "RULE_BYTES_MAX", 1),
    ("subscriptions", "bytes and {} steps", "event/transform.h", "TRANSFORM_STEPS_MAX", 1),
    ("subscriptions", "its values nest at most {} deep", "event/transform.h", "TRANSFORM_VALUE_DEPTH_MAX", 1),
    ("subscriptions", "grows by at most {} bytes", "event/transform_apply.h", "TRANSFORM_GROWTH_MAX", 1),
    ("security", "while all {} are being", "server/client_limits.h", "SURPLUS_MAX", 1),
    ("security", "`MAX_HEADER_BYTES`, and {} headers", "server/head.h", "HEAD_FIELDS_MAX", 1),
    ("security", "`MAX_BODY_BYTES`; {} where no events", "server/body.h", "BODY_DOCUMENT_MAX", 1),
    ("security", "once to twice; {} for a client", "server/listener.c", "UNREAD_TIMEOUT_MS", 0.001),
    ("security", "the end of a connection | {} connections", "server/linger.c", "LINGERING_MAX", 1),
    ("security", "1,000 connections, {} |", "server/linger.c", "LINGER_US", 1e-6),
    ("security", "depth of JSON | {} in `data`", "event/scan.h", "JSON_DEPTH_MAX", 1),
    ("security", "unknown fields of an event | {}", "ingest/unknown.h", "UNKNOWN_FIELDS_MAX", 1),
    ("security", "for slow readers | 64 MiB, {} |", "server/control_link.c", "READER_PATIENCE_US", 1e-6),
    ("security", "requests of the API under way | {} of an acceptor", "api/frame.h", "FRAME_REQUESTS_MAX", 1),
    ("webhooks-reference", "of a tenant (429), {} an acceptor", "api/frame.h", "FRAME_STREAMS_MAX", 1),
    ("security", "reply of a receiver | {} of head", "courier/response.h", "REPLY_HEAD_MAX", 1),
    ("security", "of head, {} of body, `timeout_ms`", "courier/response.h", "REPLY_BODY_MAX", 1),
    ("security", "jobs of one publish request | {}", "event/publish_outcome.h", "PUBLISH_JOBS_MAX", 1),
)
# Words in backquotes with an underscore that belong to the tests, PostgreSQL, the kernel, libraries or log shippers.
FOREIGN = re.compile(r"(test|pg|landlock|json)_\w+|source_type|array_change_key_case|file_get_contents|get_data|raw_post|idle_session_timeout"
                     r"|max_connections|pool_mode|target_session_attrs|search_path|default_transaction_read_only|created_at|backend_xmin"
                     r"|current_date|synchronous_standby_names|wait_event\w*|full_page_writes|connection_limit")


def text_of(page):
    return (ROOT / page).read_text()


def spans(page):
    """The words in backquotes outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", FENCE.sub("", text_of(page)))


def options():
    """The default of each option by its name: a text, or None."""
    found = {}
    for kind, name, columns in OPTION.findall(OPTION_LIST):
        initial = re.search(r'\.initial(?:_text)? = "(.*?)"', columns)
        for each in [name, *re.findall(r'\.second_name = "(\w+)"', columns), *([f"{name}_FILE"] if kind == "SECRET" else [])]:
            found[each] = initial[1] if initial else None
    return found


def number(text):
    """The first number in the text, in bytes or seconds if it has a unit. `off` is 0. Without a number: the text."""
    found = NUMBER.search(text)
    if found:
        return float(found[1].replace(",", "")) * UNITS[found[2] or ""]
    return 0 if text in ("off", "false") else text


def in_digits(text):
    """The text on one line, with numbers as digits."""
    return re.sub(rf"\b({'|'.join(WORDS)})\b", lambda match: str(WORDS[match[1]]), " ".join(text.split()))


def numbers(text):
    """The values of a list. A text that is no number stays."""
    return [number(part) for part in re.split(r", ?| and ", text)] if re.match(r"\d+ ?(s|min|ms)\b", text) else [number(text)]


def limits():
    """(limit, default) of each row of the tables of limits."""
    section = re.search(r"^## What each limit protects\n(.*?)^## ", text_of("docs/security.md"), re.MULTILINE | re.DOTALL)[1]
    for head, rows in re.findall(r"^(\|.*\|)\n\|[-|]+\|\n((?:\|.*\n)+)", section, re.MULTILINE):
        place = head.strip("| ").split(" | ").index("limit")
        for row in rows.splitlines():
            yield tuple(cell.strip() for cell in row.strip("|").split(" | ")[place : place + 2])


def routes():
    """The scope of each (method, path)."""
    text = text_of("api/operation_list.def") + text_of("server/routes.c")
    return {(method, path): scope for method, path, scope in ROUTE.findall(text)}


def shape(path):
    """A path without its query, with all parts in braces named alike."""
    return re.sub(r"\{\w+\}|:id\b", "{}", path.partition("?")[0].rstrip("=")).rstrip("/") or "/"


def constant(name, macro):
    """The value of a macro. Its text may use other macros of its file or of RULES."""
    texts = dict(re.findall(r"^#define (\w+) +(.+?)(?: */\*.*)?$", text_of(name), re.MULTILINE))
    value = re.sub(r"\(size_t\)|INT64_C|(?<=\d)[uUlL]+", "", texts[macro])
    for other in set(re.findall(r"\b[A-Z]\w+", value)):
        home = name if other in texts else "event/rule.h"
        value = re.sub(rf"\b{other}\b", f"({constant(home, other)})", value)
    return eval(value, {})  # a product of numbers


class Options(unittest.TestCase):
    def test_every_named_option_exists(self):
        there = options()
        for page in PAGES:
            named = {word for span in spans(page) for word in re.findall(r"(?<![\w%-])[A-Z][A-Z0-9_]{2,}(?![\w-])", span)}
            with self.subTest(page=page):
                self.assertEqual(set(), {name for name in named - NO_OPTIONS - set(there) if len(name) > 3})

    def test_defaults_in_sentences_agree_with_the_program(self):
        there = options()
        for page, place, option in DEFAULTS:
            with self.subTest(page=page, option=option):
                told = re.search(place, re.sub(r"\n +", " ", text_of(page)), re.MULTILINE)
                self.assertIsNotNone(told, "the words around it have changed")
                self.assertEqual(numbers(there[option]), numbers(told[1]))

    def test_defaults_in_tables_of_limits_agree_with_the_program(self):
        there, checked = options(), set()
        for limit, default in limits():
            names = re.findall(r"^`([A-Z_]+)`|, `([A-Z_]+)`$", limit)
            told = default.split(", ") if len(names) > 1 else [default]
            for name, value in zip(["".join(name) for name in names], told):
                checked.add(name)
                with self.subTest(option=name):
                    self.assertEqual(number(there[name]), number(value))
        self.assertGreater(len(checked), 14)


class Routes(unittest.TestCase):
    def test_every_named_path_exists(self):
        there = {(method, shape(path)) for method, path in routes()}
        paths = {path for _, path in there}
        count = 0
        for page in PAGES:
            for method, path in re.findall(r"^(?:([A-Z]+) )?(/[^\s,]*)$", "\n".join(spans(page)), re.MULTILINE):
                if "*" in path or "..." in path.partition("?")[0] or not method and not OURS.match(path):
                    continue
                count += 1
                with self.subTest(page=page, path=path):
                    self.assertIn(shape(path), paths)
                    if method:
                        self.assertTrue({(method, shape(path)), ("ANY", shape(path))} & there, f"it has no {method}")
        self.assertGreater(count, 150)

    def test_the_reference_has_every_operation_with_its_scope(self):
        there = {(method, shape(path)): scope for (method, path), scope in routes().items()}
        rows = re.search(r"^\| request \| scope \| \|\n\|---\|---\|---\|\n(.*?)\n\n", text_of("docs/webhooks-reference.md"),
                         re.MULTILINE | re.DOTALL)[1]
        words = {symbol: f"{group}.{verb}".rstrip(".") for symbol, group, verb in
                 re.findall(r'X\((\w+), "(.*?)", "(.*?)"\)', text_of("api/scopes.h"))} | {"PUBLIC": "none", "KEY": "any_key"}
        listed = {}
        for row in rows.splitlines():
            requests, scopes = row.strip("| ").split(" | ")[:2]
            methods, last = [], ""
            for word in re.findall(rf"{METHOD.pattern}|any method|/[^\s,`]*", requests):
                if word.startswith("/"):
                    listed |= {(method, shape(word)): scopes for method in methods}
                    last = word
                else:
                    methods = ([] if last else methods) + [word.replace("any method", "ANY")]
                    last = ""
        for route in (route for route in there if route[1].startswith(("/v1", "/console"))):
            with self.subTest(route=route):
                self.assertIn(words[there[route]], re.split("[,;]? ", listed[route].replace("`", "").replace("any key", "any_key")))
        self.assertEqual(set(), set(listed) - set(there))


class Words(unittest.TestCase):
    def test_every_name_occurs_in_the_program(self):
        """Members, error codes, columns, metrics and reasons have an underscore, and occur somewhere in the program."""
        sources = files(".c", ".h", ".def", ".sql", ".json", ".js", ".yml", directories=(*LAYERS, "schema", "deploy"))
        there = set(re.findall(r"\w+", "".join(text_of(path) for path in sources)))
        prefixed = set(re.findall(r'^\tX\(\w+, \w+, "(\w+)"', text_of("shm/families.h") + text_of("shm/delivery_families.h"), re.MULTILINE))
        for page in PAGES:
            named = {word for span in spans(page) for word in re.findall(r"(?<![\w/.$-])[a-z][a-z0-9]*(?:_[a-z0-9]+)+(?![\w.-])", span)}
            with self.subTest(page=page):
                unknown = {name for name in named if name not in there and not FOREIGN.fullmatch(name)}
                self.assertEqual(set(), {name for name in unknown if re.sub("^(hooks|hookline)_", "", name) not in prefixed})

    def test_every_error_of_the_api_is_in_the_reference_with_its_status(self):
        table = re.search(r"^## Errors\n(.*?)^## ", text_of("docs/webhooks-reference.md"), re.MULTILINE | re.DOTALL)[1]
        listed = {(status, code) for row in re.findall(r"^\| ([\d, ]+) \| (.*?) \|", table, re.MULTILINE)
                  for status in row[0].split(", ") for code in re.findall(r"`([a-z_]+)`", row[1])}
        source = "".join(text_of(path) for path in files(".c", directories=["control", "server"]))
        sent = set(re.findall(r'\b(?:answer|reply_api)_error\(\s*[\w>-]+, (\d+), "(\w+)"', source))
        sent |= set(re.findall(r'case (\d+):\n\t\treturn "\\"error\\":\\"(\w+)', source))
        self.assertGreater(len(sent), 12)
        self.assertEqual(set(), sent - listed)
        described = re.search(r'"ApiError": \{.*?"enum": \[(.*?)\]', text_of("server/openapi/v1.json"), re.DOTALL)[1]
        self.assertEqual(set(re.findall(r'"(\w+)"', described)) | {"timeout"}, {code for _, code in listed} - {"code", "required_scope"})

    def test_every_reason_of_a_dead_letter_is_explained(self):
        written = {reason for name in ("courier/verdict.c", "courier/courier.c")
                   for line in re.findall(r"\b(?:dead|try_again|reports_dead)\(.*", text_of(name)) for reason in re.findall(r'"(\w+)"', line)}
        asked_for = re.search(r"^const REASONS = \[(.*?)\];", text_of("server/console/dead_letters.js"), re.MULTILINE)[1]
        self.assertEqual(written, set(re.findall(r'"(\w+)"', asked_for)))
        for reason in written:
            with self.subTest(reason=reason):
                self.assertIn(f"`{reason}`", text_of("docs/deliveries.md"))
                self.assertRegex(text_of("server/openapi/deliveries.json"), rf'"description": "http_<status>, [^"]*\b{reason}\b')

    def test_every_named_panel_is_on_a_dashboard(self):
        titles = {title for path in (ROOT / "deploy/grafana/dashboards").glob("*.json")
                  for title in re.findall(r'"title": "(.*?)"', path.read_text())}
        named = {title for page in PAGES for title in re.findall(r'\bpanel "(.*?)"', text_of(page))}
        self.assertTrue(named)
        self.assertLessEqual(named, titles)


class Constants(unittest.TestCase):
    def test_numbers_agree_with_the_program(self):
        for page, words, name, macro, unit in CONSTANTS:
            with self.subTest(page=page, words=words):
                before, after = map(re.escape, in_digits(words).split("{}"))
                found = re.search(rf"{before}([\d,]+(?: (?:KiB|MiB|seconds?|s|minutes?|hours?|days)\b)?){after}", in_digits(text_of(f"docs/{page}.md")))
                self.assertIsNotNone(found, "the words around it have changed")
                self.assertEqual(number(found[1]), round(constant(name, macro) * unit, 6))


if __name__ == "__main__":
    unittest.main()
