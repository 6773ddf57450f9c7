"""Filters and transforms of random documents against references that are written as plainly as possible.

    test_rules.py ANSWER_RULES    the program of answer_rules.c

TEST_SEED repeats a run, RULES_ROUNDS makes it longer.
"""

import json
import os
import random
import re
import subprocess
import sys
import time

SEED = int(os.environ.get("TEST_SEED") or time.time_ns() % 2**32)
ROUNDS = int(os.environ.get("RULES_ROUNDS", "150"))
rng = random.Random(SEED)

KEYS = ["a", "b", "c", "0", "1", "2", "\u00e9", "x y"]
ODD_KEYS = ["", "a.b", "\ufffd", "01", "-1", '"', "\n", "\U0001f600"]
NUMBERS = ["0", "-0", "-0.0", "1", "1.0", "10e-1", "1.10", "2", "3", "-7", "1e400", "-1e400", "1e-400", "9007199254740993",
           "9007199254740992.0", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "9.223372036854775807e18",
           "18446744073709551615", "18446744073709551616", "18446744073709551617", "1234567890123456789", "0.1", "1" * 400]  # fmt: skip
STRINGS = ["", "a", "ab", "abc", "aab", "abab", "b", "\u00e9", "\u00e9a", "\U0001f600", "\ufffd", "\n", "\0", "x" * 40]


# --- JSON that keeps its text ----------------------------------------------------------------------------------------


class Scalar:
    def __init__(self, text):
        self.text = text

    def write(self):
        return self.text


class List:
    def __init__(self, items):
        self.items = items

    def write(self):
        return "[" + ",".join(item.write() for item in self.items) + "]"


class Object:
    def __init__(self, members):
        self.members = members  # [key as it is spelt, value]

    def write(self):
        return "{" + ",".join(f"{key}:{value.write()}" for key, value in self.members) + "}"

    def last(self, name):
        """The index of the member that counts, or None."""
        found = [i for i, (key, _) in enumerate(self.members) if decode(key) == name]
        return found[-1] if found else None

    def keep_one(self, name):
        """Takes all members of that name out but the last."""
        index = self.last(name)
        self.members[:] = [m for i, m in enumerate(self.members) if i == index or decode(m[0]) != name]


TOKEN = re.compile(r'[ \t]*("(?:[^"\\]|\\.)*"|[\[\]{},:]|[^][{},:" \t]+)[ \t]*')


def parse(text):
    tokens = TOKEN.findall(text)[::-1]

    def value():
        token = tokens.pop()
        if token == "[":
            items = []
            while tokens[-1] != "]":
                items.append(value())
                if tokens[-1] == ",":
                    tokens.pop()
            tokens.pop()
            return List(items)
        if token == "{":
            members = []
            while tokens[-1] != "}":
                key = tokens.pop()
                tokens.pop()
                members.append([key, value()])
                if tokens[-1] == ",":
                    tokens.pop()
            tokens.pop()
            return Object(members)
        return Scalar(token)

    return value()


def decode(string):
    """What a JSON string spells, as the service has it."""
    return re.sub("[\0\ud800-\udfff]", "\ufffd", json.loads(string))


def number(text):
    integer = re.fullmatch(r"-?\d+", text)
    return int(text) if integer and abs(int(text)) < 2**64 else float(text)


def load(node):
    """The node as Python's values, numbers apart from booleans."""
    if isinstance(node, List):
        return [load(item) for item in node.items]
    if isinstance(node, Object):
        return {decode(key): load(value) for key, value in node.members}
    if node.text[0] == '"':
        return decode(node.text)
    return {"true": True, "false": False, "null": None}[node.text] if node.text[0] in "tfn" else number(node.text)


def kind(value):
    return "number" if type(value) in (int, float) else type(value).__name__


def same(one, other):
    if kind(one) != kind(other):
        return False
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    return one == other


# --- the references --------------------------------------------------------------------------------------------------

ABSENT = object()


def value_at(value, path):
    for step in path.split("."):
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and re.fullmatch("0|[1-9][0-9]{0,8}", step) and int(step) < len(value):
            value = value[int(step)]
        else:
            return ABSENT
    return value


def compared(value, other, holds):
    return kind(value) == kind(other) and kind(value) in ("number", "str") and holds(value, other)


def contains(value, other):
    if isinstance(value, str):
        return isinstance(other, str) and other in value
    return isinstance(value, list) and any(same(item, other) for item in value)


OPERATORS = {
    "eq": lambda value, other: value is not ABSENT and same(value, other),
    "neq": lambda value, other: value is ABSENT or not same(value, other),
    "gt": lambda value, other: compared(value, other, lambda a, b: a > b),
    "gte": lambda value, other: compared(value, other, lambda a, b: a >= b),
    "lt": lambda value, other: compared(value, other, lambda a, b: a < b),
    "lte": lambda value, other: compared(value, other, lambda a, b: a <= b),
    "contains": contains,
    "exists": lambda value, other: (value is not ABSENT) == other,
}


def holds(condition, event):
    """condition: (operator, path, value) or (operator, conditions)."""
    if condition[0] == "and":
        return all(holds(part, event) for part in condition[1])
    if condition[0] == "or":
        return any(holds(part, event) for part in condition[1])
    if condition[0] == "not":
        return not holds(condition[1][0], event)
    return OPERATORS[condition[0]](value_at(event, condition[1]), load(parse(condition[2])))


def follow(event, path):
    """The object of the last step of a path; missing ones as None; False when something else is in the way."""
    node = event
    for step in path.split(".")[:-1]:
        if not isinstance(node, Object):
            return False
        index = node.last(step)
        if index is None:
            return None
        node = node.members[index][1]
    return node if isinstance(node, Object) else False


def put(event, path, value):
    *steps, last = path.split(".")
    node = event
    for step in steps:
        if node.last(step) is None:
            node.members.append([json.dumps(step, ensure_ascii=False), Object([])])
        node = node.members[node.last(step)][1]
    if node.last(last) is None:
        node.members.append([json.dumps(last, ensure_ascii=False), value])
    else:
        node.keep_one(last)
        node.members[node.last(last)][1] = value


def apply(step, event):
    """Returns whether the step did something."""
    op, path, argument = step
    parent, name = follow(event, path), path.split(".")[-1]
    if op in ("add_field", "set_field"):
        if parent is False or (op == "add_field" and parent and parent.last(name) is not None):
            return False
        put(event, path, parse(argument))
        return True
    if not parent or parent.last(name) is None:
        return False
    if op == "remove_field":
        parent.members[:] = [m for m in parent.members if decode(m[0]) != name]
        return True
    if path == argument:
        return False
    before = list(parent.members)
    value = parent.members[parent.last(name)][1]
    to_name = argument.split(".")[-1]
    if path.split(".")[:-1] == argument.split(".")[:-1]:
        parent.keep_one(name)
        parent.members[:] = [m for m in parent.members if decode(m[0]) != to_name]
        parent.members[parent.last(name)][0] = json.dumps(to_name, ensure_ascii=False)
        return True
    parent.members[:] = [m for m in parent.members if decode(m[0]) != name]
    if follow(event, argument) is False:
        parent.members[:] = before
        return False
    put(event, argument, value)
    return True


# --- random documents ------------------------------------------------------------------------------------------------


def spell(text):
    """A JSON string with some characters escaped that need not be."""
    if rng.random() < 0.7:
        return json.dumps(text, ensure_ascii=rng.random() < 0.5)
    units = [text.encode("utf-16-be")[i : i + 2].hex() for i in range(0, len(text.encode("utf-16-be")), 2)]
    return '"' + "".join(f"\\u{unit.upper() if rng.random() < 0.5 else unit}" for unit in units) + '"'


def scalar():
    roll = rng.random()
    if roll < 0.4:
        return rng.choice(NUMBERS)
    if roll < 0.7:
        return spell("".join(rng.choice(STRINGS) for _ in range(rng.randrange(3))))
    return rng.choice(["true", "false", "null", '"\\ud800"', '"\\u0000"', '"a\\/b\\t"'])


def key():
    return rng.choice(ODD_KEYS) if rng.random() < 0.1 else rng.choice(KEYS)


def document(depth, space):
    def gap():
        return rng.choice(["", "", " ", "\t "]) if space else ""

    if depth == 0 or rng.random() < 0.3:
        return scalar()
    if rng.random() < 0.3:
        items = [gap() + document(depth - 1, space) + gap() for _ in range(rng.randrange(4))]
        return "[" + (",".join(items) or gap()) + "]"
    members = [gap() + spell(key()) + gap() + ":" + gap() + document(depth - 1, space) + gap() for _ in range(rng.randrange(6))]
    return "{" + (",".join(members) or gap()) + "}"


def event(space):
    return "{" + ",".join(f'"{name}":{document(3, space)}' for name in rng.choices(KEYS, k=rng.randrange(1, 5))) + "}"


def path():
    return ".".join(rng.choice(KEYS) for _ in range(rng.choice([1, 1, 2, 2, 3])))


def unique(text):
    """A value without members of the same name, which filters refuse."""
    node = parse(text)

    def visit(node):
        for item in getattr(node, "items", []):
            visit(item)
        if isinstance(node, Object):
            for name in {decode(spelt) for spelt, _ in node.members}:
                node.keep_one(name)
            for _, value in node.members:
                visit(value)

    visit(node)
    return node.write()


def condition(depth, events):
    op = rng.choice(["and", "or", "not", *OPERATORS, *OPERATORS])
    if op in ("and", "or", "not") and depth > 0:
        return op, [condition(depth - 1, events) for _ in range(1 if op == "not" else rng.randrange(4))]
    where = path()
    if op == "exists":
        return op, where, rng.choice(["true", "false"])
    if op in ("gt", "gte", "lt", "lte"):
        return op, where, rng.choice([rng.choice(NUMBERS), spell(rng.choice(STRINGS))])
    if op == "contains":
        return op, where, scalar()
    # Half of the values are those of an event, so that eq is often true.
    found = parse(rng.choice(events))
    for step in where.split("."):
        index = found.last(step) if isinstance(found, Object) else None
        found = None if index is None else found.members[index][1]
    return "eq" if op not in OPERATORS else op, where, unique(found.write() if found and rng.random() < 0.5 else document(2, True))


def filter_text(condition):
    if condition[0] in ("and", "or", "not"):
        parts = [filter_text(part) for part in condition[1]]
        listed = parts[0] if len(parts) == 1 and rng.random() < 0.5 else "[" + ",".join(parts) + "]"
        return rng.choice([f'{{"{condition[0]}":{listed}}}', f'{{"op":"{condition[0]}","conditions":{listed}}}'])
    op, where, value = condition
    return rng.choice([f'{{"{op}":{spell(where)},"value":{value}}}', f'{{"path":{spell(where)},"value":{value},"op":"{op}"}}'])


def transform_step():
    op = rng.choice(["rename_field", "remove_field", "add_field", "set_field"])
    return op, path(), path() if op == "rename_field" else document(2, False)


def transform_text(steps):
    def one(op, where, argument):
        field = rng.choice(["field", "path"])
        members = {"rename_field": f'"from":{spell(where)},"to":{spell(str(argument))}', "remove_field": f'"{field}":{spell(where)}'}
        inner = members.get(op, f'"{field}":{spell(where)},"value":{argument}')
        return rng.choice([f'{{"op":"{op}",{inner}}}', f'{{"{op}":{{{inner}}}}}', f'{{"type":"{op}",{inner}}}'])

    texts = [one(*step) for step in steps]
    return texts[0] if len(texts) == 1 and rng.random() < 0.5 else "[" + ",".join(texts) + "]"


# --- both ------------------------------------------------------------------------------------------------------------


def answers(program, lines):
    text = "".join(line + "\n" for line in lines).encode()
    run = subprocess.run([program], input=text, capture_output=True, timeout=100)
    assert run.returncode == 0, run.stderr.decode(errors="replace")
    return run.stdout.decode().split("\n")[:-1]


def test_filters(program):
    lines, wanted, described = [], [], []
    for _ in range(ROUNDS):
        events = [event(rng.random() < 0.3) for _ in range(20)]
        conditions = [condition(3, events) for _ in range(20)]
        lines += [f"filter {len(conditions)} {len(events)}", *map(filter_text, conditions), *events]
        for text in events:
            loaded = load(parse(text))
            wanted.append("".join(str(int(holds(one, loaded))) for one in conditions))
            described.append((text, conditions))
    got = answers(program, lines)
    for want, line, (text, conditions) in zip(wanted, got, described, strict=True):
        wrong = [conditions[i] for i in range(len(conditions)) if want[i] != line[i]]
        assert not wrong, f"of {text}: {wrong}"
    share = sum(line.count("1") for line in wanted) / sum(map(len, wanted))
    assert 0.1 < share < 0.9, share


def test_transforms(program):
    lines, wanted, described = [], [], []
    for _ in range(ROUNDS):
        steps = [transform_step() for _ in range(rng.randrange(1, 6))]
        events = [event(rng.random() < 0.3) for _ in range(20)]
        lines += [f"transform {len(events)}", transform_text(steps), *events]
        for text in events:
            tree = parse(text)
            changes = [apply(step, tree) for step in steps]
            wanted.append(tree.write())
            described.append((text, steps, any(changes)))
    got = answers(program, lines)
    changed = 0
    for want, line, (text, steps, changes) in zip(wanted, got, described, strict=True):
        # White space apart, which an event keeps where it has some.
        spaced = " " in TOKEN.sub(lambda m: m[0].replace(m[1], ""), text)
        assert (parse(line).write() if spaced else line) == want, f"{steps} of {text}: {line}, wanted {want}"
        assert changes or line == text, f"{steps} of {text}: {line}"
        changed += changes
    assert changed > len(wanted) / 3, changed


if __name__ == "__main__":
    print(f"TEST_SEED={SEED}")
    test_filters(sys.argv[1])
    test_transforms(sys.argv[1])
