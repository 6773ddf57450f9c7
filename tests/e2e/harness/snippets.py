"""
The programs of docs/webhooks.md that verify signatures, and requests that they must accept or refuse. Each program is
written to a file. A driver in its language (tests/snippets) reads requests from standard input and calls it.
"""

import base64
import hashlib
import hmac
import json
import re
import shutil
import subprocess
import time

from harness.daemon import REPOSITORY, clean_environment

GUIDE = (REPOSITORY / "docs/webhooks.md").read_text()
PROGRAM = re.compile(r"^```\w+\n((?:#|//|<\?php //) (\w+\.\w+).*?)^```$", re.MULTILINE | re.DOTALL)
PROGRAMS = {name: text for text, name in PROGRAM.findall(GUIDE)}

# (program, driver, the command that runs the driver)
LANGUAGES = {
    "python": ("verify.py", "driver.py", ["python3"]),
    "shell": ("verify.sh", "driver_shell.py", ["python3"]),
    "node": ("verify.mjs", "driver.mjs", ["node"]),
    "go": ("verify.go", "driver.go", ["go", "run", "verify.go"]),
    "ruby": ("verify.rb", "driver.rb", ["ruby"]),
    "php": ("verify.php", "driver.php", ["php"]),
}
SECRETS = {"whsec": "whsec_" + base64.b64encode(bytes(range(200, 232))).decode(), "plain": "geheim-\u00fc\u20ac"}
TOLERANCE = 300


class Request:
    """A request as a program sees it: headers with names in lower case, and the body's bytes."""

    def __init__(self, headers, body):
        self.headers = {name.lower(): value for name, value in dict(headers).items() if name.lower().startswith("webhook-")}
        self.body = body

    def but(self, body=None, **headers):
        """A copy with another body or other headers (id, timestamp, signature). None removes a header."""
        changed = self.headers | {f"webhook-{name}": value for name, value in headers.items()}
        return Request({name: value for name, value in changed.items() if value is not None}, self.body if body is None else body)

    def signed_at(self, seconds, secret):
        """The request with a right signature of that time."""
        message = self.headers["webhook-id"]
        key = base64.b64decode(secret[6:]) if secret.startswith("whsec_") else secret.encode()
        signature = hmac.digest(key, f"{message}.{seconds}.".encode() + self.body, hashlib.sha256)
        return self.but(timestamp=str(seconds), signature="v1," + base64.b64encode(signature).decode())


def forgeries(request, secret):
    """Requests, by name, that a program with the secret must refuse."""
    time_sent, signature = int(request.headers["webhook-timestamp"]), request.headers["webhook-signature"]
    now = int(time.time())
    forged = {
        "a byte more": request.but(request.body + b" "),
        "a byte less": request.but(request.body[:-1]),
        "no body": request.but(b""),
        "another id": request.but(id=request.headers["webhook-id"] + "0"),
        "another time": request.but(timestamp=str(time_sent + 1)),
        "another version": request.but(signature=signature.replace("v1,", "v1a,")),
        "no version": request.but(signature=signature.replace("v1,", "")),
        "half a signature": request.but(signature=signature[:20]),
        "more than a signature": request.but(signature=signature + "A"),
        "a star": request.but(signature="v1,*"),
        "too old": request.signed_at(now - TOLERANCE - 10, secret),
        "from the future": request.signed_at(now + TOLERANCE + 60, secret),
    }
    for name in ("id", "timestamp", "signature"):
        forged |= {f"no {name}": request.but(**{name: None}), f"an empty {name}": request.but(**{name: ""})}
    for text in ("v1,", ",", " ", "v1,\u00e9", "v1,=" * 50):
        forged[f"the signature {text!r}"] = request.but(signature=text)
    for text in (f"{time_sent}.0", f"-{time_sent}", f"+{time_sent}", f"{time_sent}e0", "now", "9" * 400, "\u0661", "a[$(touch pwned)]"):
        forged[f"the time {text!r}"] = request.signed_at(text, secret)
    return forged


class Verifier:
    def __init__(self, language, directory):
        program, driver, command = LANGUAGES[language]
        (directory / program).write_text(PROGRAMS[program])
        shutil.copy(REPOSITORY / "tests/snippets" / driver, directory)
        self.directory = directory
        self.command = [*command, driver]

    def takes(self, secret, requests):
        """Whether the program accepts each of these requests, by name."""
        lines = [json.dumps({"secret": secret, "headers": request.headers, "body": base64.b64encode(request.body).decode()})
                 for request in requests.values()]
        run = subprocess.run(self.command, cwd=self.directory, input="\n".join(lines) + "\n", capture_output=True, text=True,
                             timeout=240, env=clean_environment({"HOME": self.directory, "LC_ALL": "C.UTF-8"}))
        assert run.returncode == 0, run.stdout + run.stderr
        answers = run.stdout.split()
        assert len(answers) == len(lines) and set(answers) <= {"genuine", "refused"}, run.stdout + run.stderr
        assert not (self.directory / "pwned").exists()
        return {name: answer == "genuine" for name, answer in zip(requests, answers)}


def check_snippet(verifier, tenant, receiver):
    """Checks one program with requests that the service has sent to the receiver."""
    paths = {}
    for name, secret in SECRETS.items():
        paths[name] = f"/{name}-{tenant.id}"
        made = tenant.client.post("/v1/endpoints", {"url": receiver.url(paths[name]), "secret": secret})
        assert made.status == 201, made
        assert tenant.client.post("/v1/subscriptions", {"endpoint_id": made.json["id"], "topic_pattern": name}).status == 201
        publish(tenant, name)
        request = arrived(receiver, paths[name], 1)
        genuine = {"genuine": request, "late": request.signed_at(int(time.time()) - TOLERANCE + 60, secret),
                   "one of several": request.but(signature=f"v2,x v1,AAAA {request.headers['webhook-signature']}")}
        forged = forgeries(request, secret)
        found = verifier.takes(secret, genuine | forged)
        assert found == dict.fromkeys(genuine, True) | dict.fromkeys(forged, False)

    # During the overlap two secrets sign: a receiver may have either.
    rotated = tenant.client.post(f"/v1/endpoints/{made.json['id']}/rotate-secret", {"overlap_seconds": 3600}).json["secret"]
    publish(tenant, name)
    request = arrived(receiver, paths[name], 2)
    for secret, taken in ((rotated, True), (SECRETS[name], True), (SECRETS["whsec"], False), ("another secret", False)):
        assert verifier.takes(secret, {"request": request}) == {"request": taken}


def publish(tenant, topic):
    payload = {"text": "gr\u00fc\u00dfe \U0001f680", "number": 1.10}
    assert tenant.client.post("/v1/events", {"topic": topic, "payload": payload}).status == 201


def arrived(receiver, path, count):
    arrival = receiver.wait(count, path)[-1]
    return Request(arrival.headers, arrival.body)
