"""
The guard of requests to endpoints refuses the targets listed here, whatever the URL or the name server says. The
courier's HTTP client runs in tests/unit/http_driver.c with tests/preload/resolver.c, which answers look-ups, logs each
address that is connected to, and redirects all connections to this machine.
"""

import ipaddress
import itertools
import socket

import pytest

from harness.http_driver import HttpDriver
from harness.receivers import OK, Receiver

PUBLIC4, PUBLIC6 = "93.184.216.34", "2606:2800:220:1::1"

# What a name may stand for, and a URL may spell: the private networks by each of the ways in which IPv6 carries IPv4,
# and the first and the last address of each network that is refused.
ADDRESSES = [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1", "127.255.255.255",
    "169.254.0.0", "169.254.169.254", "169.254.255.255", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.255", "192.0.2.1",
    "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1",
    "239.255.255.255", "240.0.0.0", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:93.184.216.34", "::127.0.0.1", "::169.254.169.254",
    "::ffff:0:127.0.0.1", "::ffff:0:10.0.0.1", "::5efe:10.0.0.1", "fe80::5efe:10.0.0.1",
    "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b::172.16.0.1", "64:ff9b::192.168.0.1", "64:ff9b::169.254.169.254",
    "64:ff9b::100.64.0.1", "64:ff9b::0.0.0.0", "64:ff9b:1::10.0.0.1", "64:ff9b:0:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1",
    "2001::1", "2001:0:a9fe:a9fe::1", "2001:1ff:ffff::1", "2001:db8::1", "3fff::1", "3fff:fff::1", "5f00::1", "100::1", "fc00::1",
    "fdff:ffff::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "4000::1", "1fff::1", "e000::1",
]  # fmt: skip

# URLs whose host is another spelling of such an address.
URLS = [
    "http://2130706433/", "http://0x7f000001/", "http://0x7f.1/", "http://0177.0.0.1/", "http://127.1/", "http://127.0.1/", "http://0/",
    "http://0x0/", "http://00000000000000000177.1/", "http://[::]/", "http://[::1]/", "http://[0:0:0:0:0:ffff:7f00:1]/", "http://2852039166/",
    "http://0xa9fea9fe/", "http://[::ffff:a9fe:a9fe]/", "http://localhost/", "http://LOCALHOST./", "http://a.localhost/", "http://127.0.0.1./",
]  # fmt: skip
# Invalid URLs: the API refuses to store them, and the courier refuses to use one of an edited row.
BROKEN = [
    "http://127.0.0.1:0/", "http://127.0.0.1:65536/", "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://a@127.0.0.1/",
    "http://public.example@127.0.0.1/", "http://127.0.0.1\\@public.example/", "http://127\u30020\u30020\u30021/", "http://\u2460\u2461\u2466.0.0.1/",
    "http://127.0.0.1%2f/", "http://[::1/", "http://[127.0.0.1]/", "http:///127.0.0.1/", "http:127.0.0.1/", "//127.0.0.1/", "ftp://127.0.0.1/",
    "file:///etc/passwd", "gopher://127.0.0.1/", "dict://127.0.0.1:11211/", "http://256.256.256.256/", "http://0x100000000/", "http://1.2.3.4.5/",
    "http://127.0.0.1 /", "http://127.0.0.1\r\nHost: x/", "http://127.0.0.1#@public.example/", "",
]  # fmt: skip


def host_of(address):
    return f"[{address}]" if ":" in address else address


def spelled(address):
    """The address as tests/preload/resolver.c logs it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.inet_ntop(family, socket.inet_pton(family, address))


def test_no_private_address_is_connected_to_by_url_or_name(tmp_path):
    names = {f"n{number}.example": address for number, address in enumerate(ADDRESSES)}
    with Receiver() as target, HttpDriver(tmp_path, names, {spelled(a): target.port for a in ADDRESSES}, allow=None) as driver:
        for (name, address), scheme in itertools.product(names.items(), ("http", "https")):
            for host in (host_of(address), name):
                result = driver.attempt(f"{scheme}://{host}/", timeout_ms=2000)
                assert result["end"] == "guard" and result["charged"], (host, address, result)
                assert "HL_ALLOW_NETWORKS" in result["error"] and result["peer"] == "" and result["http_status"] == 0
        assert driver.said("connect") == [] and target.connections == 0
    assert len(ADDRESSES) >= 60


def test_no_spelling_of_a_private_address_is_connected_to(tmp_path):
    with Receiver() as target, HttpDriver(tmp_path, connect={"127.0.0.1": target.port}, allow=None) as driver:
        for url in URLS:
            assert driver.attempt(url)["end"] == "guard", url
        for url in BROKEN:
            result = driver.attempt(url)
            assert result["end"] == "failed" and result["error"].startswith("the endpoint's URL "), (url, result)
        assert driver.said("connect") == driver.said("lookup") == [] and target.connections == 0


def test_private_addresses_are_reached_if_they_are_allowed(tmp_path):
    """Proves that the other tests would see a connection."""
    some = [address for address in ADDRESSES if ":" not in address or not ipaddress.ip_address(address).ipv4_mapped]
    names = {f"n{number}.example": address for number, address in enumerate(some)}
    with Receiver() as target, Receiver(address="::1") as target6:
        ports = {spelled(address): (target6 if ":" in address else target).port for address in some}
        with HttpDriver(tmp_path, names, ports, allow="0.0.0.0/0,::/0") as driver:
            for name in names:
                assert driver.attempt(f"http://{name}/")["http_status"] == 200, names[name]
            assert driver.said("connect") == [spelled(address) for address in some]


@pytest.mark.parametrize("bad", ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00::1", "64:ff9b::a9fe:a9fe"])
def test_a_name_with_a_public_and_a_private_address_is_always_refused(tmp_path, bad):
    names = {"first.example": f"{bad},{PUBLIC4}", "last.example": f"{PUBLIC4},{PUBLIC6},{bad}"}
    with Receiver() as public, HttpDriver(tmp_path, names, {PUBLIC4: public.port, PUBLIC6: public.port}, allow=None) as driver:
        for name in names:
            results = driver.attempts(f"http://{name}/", count=100, parallel=10)
            assert {result["end"] for result in results} == {"guard"} and spelled(bad) in results[0]["error"]
        assert driver.said("connect") == [] and public.connections == 0


def test_a_name_that_changes_after_the_check_is_connected_at_the_checked_address(tmp_path):
    """libcurl gets the judged addresses and makes no look-up, so a second answer has no effect."""
    with Receiver() as public, Receiver() as private:
        names = {"rebinds.example": f"{PUBLIC4}|127.0.0.1"}
        with HttpDriver(tmp_path, names, {PUBLIC4: public.port, "127.0.0.1": private.port}, allow=None) as driver:
            results = driver.attempts("http://rebinds.example/", count=100, parallel=10)
            assert {result["http_status"] for result in results} == {200}
            assert set(driver.said("connect")) == {PUBLIC4} and driver.said("lookup") == ["rebinds.example"]
        assert private.connections == 0 and len(public.requests) == 100


def test_a_name_that_becomes_private_is_refused_at_its_next_lookup(tmp_path):
    with Receiver() as public, Receiver() as private:
        ports = {PUBLIC4: public.port, "127.0.0.1": private.port}
        with HttpDriver(tmp_path, {"a.example": f"fails|{PUBLIC4}", "b.example": f"absent|10.0.0.1,{PUBLIC4}"}, ports, allow=None) as driver:
            assert driver.attempt("http://a.example/")["end"] == "unresolved" and driver.attempt("http://b.example/")["end"] == "failed"
            driver.set({"a.example": "127.0.0.1", "b.example": "10.0.0.1"}, ports)
            # The client repeats a look-up without addresses after five seconds.
            results = {}
            while set(results.values()) != {"guard"}:
                for name in ("a.example", "b.example"):
                    results[name] = driver.attempt(f"http://{name}/")["end"]
                    assert results[name] in ("unresolved", "failed", "guard")
            assert driver.said("connect") == []
        assert private.connections == public.connections == 0


def test_each_address_of_happy_eyeballs_is_checked(tmp_path):
    """Both families are tried if both addresses are public. If the guard refuses one of them, neither is tried."""
    with Receiver() as public, HttpDriver(tmp_path, {"both.example": f"{PUBLIC6},{PUBLIC4}"}, {PUBLIC4: public.port}, allow=None) as driver:
        assert driver.attempt("http://both.example/")["http_status"] == 200
        assert driver.said("connect") == [PUBLIC6, PUBLIC4]
        driver.set({"mixed.example": f"{PUBLIC6},::ffff:10.0.0.1", "six.example": f"{PUBLIC6},fe80::1,{PUBLIC4}"}, {PUBLIC4: public.port})
        for name in ("mixed.example", "six.example"):
            assert driver.attempt(f"http://{name}/")["end"] == "guard"
        assert driver.said("connect") == [PUBLIC6, PUBLIC4]


@pytest.mark.parametrize("location", ["http://169.254.169.254/latest/meta-data/", "//127.0.0.1/", "http://localhost/", "/elsewhere"])
def test_a_redirect_is_not_followed(tmp_path, location):
    reply = f"HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode()
    with Receiver(reply) as public, HttpDriver(tmp_path, {"a.example": PUBLIC4}, {PUBLIC4: public.port}, allow=None) as driver:
        result = driver.attempt("http://a.example/")
        assert result["http_status"] == 302 and result["verdict"] == "retry"
        assert driver.said("connect") == [PUBLIC4] and len(public.requests) == 1


def test_a_kept_connection_serves_no_other_target(tmp_path):
    """The URL of the own inbox passes the guard, and its connection is kept. No other URL gets that connection."""
    inbox = "/v1/dev/inbox/receive/token"
    with Receiver(OK) as own, HttpDriver(tmp_path, {"inside.example": "127.0.0.1"}, allow=None, HL_DEV_INBOX="true", PORT=own.port) as driver:
        for _ in range(3):
            assert driver.attempt(f"http://localhost{inbox}")["http_status"] == 200
            for url in (f"http://127.0.0.1:{own.port}/", f"http://127.1:{own.port}/", f"http://localhost:{own.port}/",
                        f"http://inside.example:{own.port}/", f"http://inside.example:{own.port}{inbox}"):
                assert driver.attempt(url)["end"] == "guard", url
        assert len(own.requests) == 3 and own.connections == 1 and driver.said("connect") == ["127.0.0.1"]


def test_an_allowed_network_permits_only_its_own_addresses(tmp_path):
    names = {"in.example": "10.1.2.3", "out.example": "10.2.2.3", "six.example": "::ffff:10.1.2.3", "nat.example": "64:ff9b::10.1.2.3"}
    with Receiver() as target, HttpDriver(tmp_path, names, {"10.1.2.3": target.port, "10.2.2.3": target.port}, allow="10.1.0.0/16") as driver:
        assert driver.attempt("http://in.example/")["http_status"] == driver.attempt("http://10.1.2.3/")["http_status"] == 200
        assert driver.attempt("http://out.example/")["end"] == driver.attempt("http://10.2.2.3/")["end"] == "guard"
        assert driver.said("connect") == ["10.1.2.3", "10.1.2.3"]
