"""
Raw requests whose end or host a proxy and hooksd could read differently. hooksd answers each of REFUSED with 400 and
closes the connection. It answers each of ACCEPTED with the listed statuses, and keeps the connection open unless the
request asks to close it.
"""

EVENT = b'{"event_type":"a","session_id":"s"}'
SIZE = len(EVENT)
LENGTH = b"Content-Length: %d" % SIZE
CHUNKED = b"Transfer-Encoding: chunked"
POST = b"POST /events HTTP/1.1"
GET = b"GET /livez HTTP/1.1"
HOST = b"Host: h"


def request(*lines, body=b""):
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def post(*fields, body=EVENT, line=POST):
    """A POST of an event with Host and these headers."""
    return request(line, HOST, *fields, body=body)


def get(*fields, line=GET, body=b""):
    return request(line, *fields, body=body)


def chunks(size=b"%x" % SIZE, data=EVENT, end=b"\r\n", last=b"0\r\n", trailers=b"\r\n"):
    """A chunked body of one chunk. Each part can be replaced."""
    return size + b"\r\n" + data + end + last + trailers


def chunked(body):
    return post(CHUNKED, body=body)


def lengths(*values):
    """A POST with one Content-Length header for each value."""
    return post(*(b"Content-Length: " + value for value in values))


def coding(value):
    return post(b"Transfer-Encoding:" + value, body=chunks())


def host(*values):
    return get(*(b"Host: " + value for value in values))


def line(text, *fields):
    return request(text, HOST, *fields)


REFUSED = {
    # Two statements on where the body ends
    "length, then chunks": post(LENGTH, CHUNKED, body=chunks()),
    "chunks, then length": post(CHUNKED, LENGTH, body=chunks()),
    "no length, then chunks": post(b"Content-Length: 0", CHUNKED, body=chunks()),
    "length and identity": post(LENGTH, b"Transfer-Encoding: identity"),
    "two lengths": lengths(b"%d" % SIZE, b"0"),
    "two lengths, the second longer": lengths(b"%d" % SIZE, b"%d0" % SIZE),
    "the same length in two spellings": lengths(b"%d" % SIZE, b"0%d" % SIZE),
    "a length and an empty one": lengths(b"%d" % SIZE, b""),
    "a list of equal lengths": lengths(b"%d, %d" % (SIZE, SIZE)),
    "a list of lengths": lengths(b"%d,0" % SIZE),
    "chunked twice": post(CHUNKED, CHUNKED, body=chunks()),
    "chunked and identity": post(CHUNKED, b"Transfer-Encoding: identity", body=chunks()),
    # Lengths that are not numbers
    "an empty length": lengths(b""),
    "a signed length": lengths(b"+%d" % SIZE),
    "a negative length": lengths(b"-%d" % SIZE),
    "minus nothing": lengths(b"-0"),
    "a hexadecimal length": lengths(b"0x%x" % SIZE),
    "hexadecimal digits": lengths(b"2a"),
    "a blank in the length": lengths(b"3 5"),
    "a tab in the length": lengths(b"3\t5"),
    "a broken number": lengths(b"%d.0" % SIZE),
    "an exponent": lengths(b"35e0"),
    "a length with an underscore": lengths(b"3_5"),
    "a quoted length": lengths(b'"%d"' % SIZE),
    "a blank behind the length": lengths(b"%d " % SIZE),
    "a length with a comma": lengths(b"%d," % SIZE),
    "a length with a semicolon": lengths(b"%d;" % SIZE),
    "a length above 64 bits": lengths(b"%d" % (2**64 + SIZE)),
    "a very long length": lengths(b"0" * 100 + b"%d" % SIZE),
    "foreign digits": lengths("٣٥".encode()),
    "a vertical tab before the length": lengths(b"\x0b%d" % SIZE),
    "a no-break space before the length": lengths(b"\xa0%d" % SIZE),
    # Codings other than chunked alone
    "no coding": coding(b""),
    "identity": coding(b" identity"),
    "chunked, chunked": coding(b" chunked, chunked"),
    "chunked, identity": coding(b" chunked, identity"),
    "gzip, chunked": coding(b" gzip, chunked"),
    "xchunked": coding(b" xchunked"),
    "chunkedx": coding(b" chunkedx"),
    "chunked with a parameter": coding(b" chunked;q=1"),
    "chunked with a comma": coding(b" chunked,"),
    "a tab behind chunked": coding(b" chunked\t"),
    "a comma before chunked": coding(b" ,chunked"),
    "chunked in quotes": coding(b' "chunked"'),
    "a vertical tab before chunked": coding(b" \x0bchunked"),
    "a form feed behind chunked": coding(b" chunked\x0c"),
    "a no-break space before chunked": coding(b" \xa0chunked"),
    "NUL in chunked": coding(b" chunked\x00"),
    "chunked over two lines": coding(b"\r\n chunked"),
    "chunks by HTTP/1.0": post(CHUNKED, body=chunks(), line=b"POST /events HTTP/1.0"),
    # Names
    "a blank before the colon": post(b"Content-Length : %d" % SIZE),
    "a tab before the colon": post(b"Content-Length\t: %d" % SIZE),
    "a vertical tab before the colon": post(b"Transfer-Encoding\x0b: chunked", body=chunks()),
    "NUL in a name": post(b"Content-Length\x00: %d" % SIZE),
    "a control character in a name": post(b"Content-\x01Length: %d" % SIZE),
    "a letter that is not ASCII in a name": post(b"Content-L\xc3\xa9ngth: %d" % SIZE),
    "no name": post(b": x", LENGTH),
    "no colon": post(b"Content-Length %d" % SIZE),
    "a blank before the name": post(b" Content-Length: %d" % SIZE),
    "a blank before the first name": request(POST, b" " + HOST, LENGTH, body=EVENT),
    "a continued line": post(b"X: a", b" b", LENGTH),
    "a line continued by a tab": post(b"X: a", b"\tTransfer-Encoding: chunked", body=chunks()),
    "a length over two lines": post(b"Content-Length:", b" %d" % SIZE),
    # Invalid characters
    "NUL in a value": post(b"X: a\x00b", LENGTH),
    "DEL in a value": post(b"X: a\x7fb", LENGTH),
    "escape in a value": post(b"X: \x1b[0m", LENGTH),
    # Ends of lines
    "LF alone": post(LENGTH).replace(b"\r\n", b"\n"),
    "LF behind the first line": post(LENGTH).replace(b"HTTP/1.1\r\n", b"HTTP/1.1\n"),
    "LF behind a header": post(b"X: a\n" + CHUNKED, body=chunks()),
    "LF before the body": post(LENGTH).replace(b"\r\n\r\n", b"\r\n\n"),
    "LF before a request": b"\n" + post(LENGTH),
    "CR before a request": b"\r" + post(LENGTH),
    "CR in a value": post(b"X: a\r" + CHUNKED, body=chunks()),
    "CR alone": post(LENGTH).replace(b"\r\n", b"\r"),
    "CR CR LF": post(LENGTH).replace(b"\r\n", b"\r\r\n"),
    "CR CR LF before the body": post(LENGTH).replace(b"\r\n\r\n", b"\r\n\r\r\n"),
    # Sizes of chunks
    "no size": chunked(chunks(size=b"")),
    "no digits": chunked(chunks(size=b"g")),
    "a signed size": chunked(chunks(size=b"+%x" % SIZE)),
    "a negative size": chunked(chunks(size=b"-%x" % SIZE)),
    "a size with 0x": chunked(chunks(size=b"0x%x" % SIZE)),
    "a blank before the size": chunked(chunks(size=b" %x" % SIZE)),
    "a blank behind the size": chunked(chunks(size=b"%x " % SIZE)),
    "a tab behind the size": chunked(chunks(size=b"%x\t" % SIZE)),
    "two sizes": chunked(chunks(size=b"%x,0" % SIZE)),
    "a size with a letter": chunked(chunks(size=b"%xz" % SIZE)),
    "a size with an underscore": chunked(chunks(size=b"2_3")),
    "a size with NUL": chunked(chunks(size=b"%x\x00" % SIZE)),
    "a size above 32 bits": chunked(chunks(size=b"1%08x" % SIZE)),
    "a size above 64 bits": chunked(chunks(size=b"1%016x" % SIZE)),
    "a very long size": chunked(chunks(size=b"0" * 100 + b"%x" % SIZE)),
    "a chunk longer than its size": chunked(chunks(size=b"%x" % (SIZE - 1))),
    "a chunk shorter than its size": chunked(chunks(size=b"%x" % (SIZE + 1))),
    # Lines between chunks
    "LF behind a size": chunked(b"%x\n" % SIZE + EVENT + b"\r\n0\r\n\r\n"),
    "CR behind a size": chunked(b"%x\r" % SIZE + EVENT + b"\r\n0\r\n\r\n"),
    "CR CR LF behind a size": chunked(chunks(size=b"%x\r" % SIZE)),
    "LF behind a chunk": chunked(chunks(end=b"\n")),
    "CR behind a chunk": chunked(chunks(end=b"\r")),
    "CR CR LF behind a chunk": chunked(chunks(end=b"\r\r\n")),
    "nothing behind a chunk": chunked(chunks(end=b"")),
    "two characters behind a chunk": chunked(chunks(end=b"xx")),
    "LF in an extension": chunked(chunks(size=b"%x;a\n" % SIZE)),
    "LF in a quoted extension": chunked(chunks(size=b'%x;a="\n"' % SIZE)),
    "CR in an extension": chunked(chunks(size=b"%x;a\rb" % SIZE)),
    "NUL in an extension": chunked(chunks(size=b"%x;a=\x00" % SIZE)),
    "a very long extension": chunked(chunks(size=b"%x;" % SIZE + b"a" * 10_000)),
    "LF behind the last size": chunked(chunks(last=b"0\n")),
    "LF behind the last chunk": chunked(chunks(trailers=b"\n")),
    "CR CR LF behind the last chunk": chunked(chunks(trailers=b"\r\r\n")),
    # Trailers
    "a length as a trailer": chunked(chunks(trailers=LENGTH + b"\r\n\r\n")),
    "a coding as a trailer": chunked(chunks(trailers=b"transfer-ENCODING: identity\r\n\r\n")),
    "a host as a trailer": chunked(chunks(trailers=b"host:i\r\n\r\n")),
    "a trailer without a colon": chunked(chunks(trailers=b"nonsense\r\n\r\n")),
    "a trailer without a name": chunked(chunks(trailers=b": a\r\n\r\n")),
    "a blank before a trailer's colon": chunked(chunks(trailers=b"X : a\r\n\r\n")),
    "a continued trailer": chunked(chunks(trailers=b"X: a\r\n b\r\n\r\n")),
    "LF behind a trailer": chunked(chunks(trailers=b"X: a\n\r\n")),
    "NUL in a trailer": chunked(chunks(trailers=b"X: \x00\r\n\r\n")),
    "very long trailers": chunked(chunks(trailers=b"X: a\r\n" * 2000 + b"\r\n")),
    "the next request in place of a trailer": chunked(chunks(trailers=b"")),
    # Hosts
    "no host": get(),
    "no host for a body": request(POST, LENGTH, body=EVENT),
    "two hosts": host(b"h", b"i"),
    "the same host twice": host(b"h", b"h"),
    "a host and an empty one": host(b"h", b""),
    "two hosts by HTTP/1.0": get(HOST, HOST, line=b"GET /livez HTTP/1.0"),
    "a list of hosts": host(b"h, i"),
    "a list of hosts without a blank": host(b"h,i"),
    "two names": host(b"h i"),
    "a blank behind the host": host(b"h "),
    "a user": host(b"user@h"),
    "a user with a password": host(b"user:password@h"),
    "a path in the host": host(b"h/path"),
    "a query in the host": host(b"h?a"),
    "a URL as the host": host(b"http://h"),
    "a word for the port": host(b"h:http"),
    "two ports": host(b"h:80:81"),
    "a signed port": host(b"h:+80"),
    "an address without its bracket": host(b"[::1"),
    "something behind a bracket": host(b"[::1]h"),
    "an address without brackets": host(b"::1"),
    "letters that are not ASCII": host("hé".encode()),
    "a quote in the host": host(b'"h"'),
    "a host over two lines": get(b"Host: h", b" i"),
    # Targets
    "a URL of another host": line(b"GET http://i/livez HTTP/1.1"),
    "a URL of a longer host": line(b"GET http://h.i/livez HTTP/1.1"),
    "a URL of another port": line(b"GET http://h:81/livez HTTP/1.1"),
    "a URL of the port of another scheme": line(b"GET http://h:443/livez HTTP/1.1"),
    "a URL and an empty host": get(b"Host:", line=b"GET http://h/livez HTTP/1.1"),
    "a URL with a user": line(b"GET http://u@h/livez HTTP/1.1"),
    "a URL without a host": line(b"GET http:///livez HTTP/1.1"),
    "a URL without a path, but with a query": line(b"GET http://h?a HTTP/1.1"),
    "a URL of another scheme": line(b"GET ftp://h/livez HTTP/1.1"),
    "a URL without slashes": line(b"GET http:h/livez HTTP/1.1"),
    "a host and a port": line(b"CONNECT h:443 HTTP/1.1"),
    "a tunnel to a path": line(b"CONNECT /livez HTTP/1.1"),
    "a tunnel to a URL": line(b"CONNECT http://h/livez HTTP/1.1"),
    "a tunnel for UDP": line(b"CONNECT-UDP / HTTP/1.1"),
    "a path without a slash": line(b"GET livez HTTP/1.1"),
    "a fragment": line(b"GET /livez#a HTTP/1.1"),
    "a control character in the path": line(b"GET /livez\x01 HTTP/1.1"),
    "NUL in the path": line(b"GET /livez\x00 HTTP/1.1"),
    "a tab in the path": line(b"GET /livez\ta HTTP/1.1"),
    "DEL in the path": line(b"GET /livez\x7f HTTP/1.1"),
    "a blank in the path": line(b"GET /livez a HTTP/1.1"),
    # The rest of the first line
    "two blanks before the path": line(b"GET  /livez HTTP/1.1"),
    "two blanks behind the path": line(b"GET /livez  HTTP/1.1"),
    "a blank before the method": line(b" GET /livez HTTP/1.1"),
    "a blank behind the version": line(b"GET /livez HTTP/1.1 "),
    "tabs for blanks": line(b"GET\t/livez\tHTTP/1.1"),
    "a vertical tab for a blank": line(b"GET\x0b/livez HTTP/1.1"),
    "no path": line(b"GET HTTP/1.1"),
    "a method with a colon": line(b"GET: /livez HTTP/1.1"),
    "a method with NUL": line(b"GE\x00T /livez HTTP/1.1"),
    "no version": line(b"GET /livez"),
    "HTTP/0.9": b"GET /livez\r\n",
    "the version 0.9": line(b"GET /livez HTTP/0.9"),
    "the version 1.10": line(b"GET /livez HTTP/1.10"),
    "the version 1.": line(b"GET /livez HTTP/1."),
    "the version 01.1": line(b"GET /livez HTTP/01.1"),
    "the version 2.0": line(b"GET /livez HTTP/2.0"),
    "a version in small letters": line(b"GET /livez http/1.1"),
    "another protocol": line(b"GET /livez HTTPS/1.1"),
    "the preface of HTTP/2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    "an expectation by HTTP/1.0": post(LENGTH, b"Expect: 100-continue", line=b"POST /events HTTP/1.0"),
}

CLOSES = "the connection closes behind it"

ACCEPTED = {
    # Lengths
    "a length": (post(LENGTH), 202),
    "a length without a blank": (post(b"Content-Length:%d" % SIZE), 202),
    "blanks and tabs before a length": (post(b"Content-Length: \t %d" % SIZE), 202),
    "a length with zeros": (lengths(b"000%d" % SIZE), 202),
    "the same length twice": (lengths(b"%d" % SIZE, b"%d" % SIZE), 202),
    "a name in capitals": (post(b"CONTENT-LENGTH: %d" % SIZE), 202),
    "no body": (post(body=b""), 422),
    "a body of no bytes": (post(b"Content-Length: 0", body=b""), 422),
    "a body behind a GET": (get(HOST, LENGTH, body=EVENT), 200),
    "chunks behind a GET": (get(HOST, CHUNKED, body=chunks()), 200),
    "a body behind a DELETE": (get(HOST, LENGTH, line=b"DELETE /events HTTP/1.1", body=EVENT), 405),
    # Chunks
    "a chunk": (chunked(chunks()), 202),
    "Chunked": (coding(b" Chunked"), 202),
    "chunked without a blank": (coding(b"chunked"), 202),
    "a tab before chunked": (coding(b"\tchunked"), 202),
    "a size in capitals": (chunked(chunks(size=b"%X" % 0x2B, data=EVENT + b" " * (0x2B - SIZE))), 202),
    "a size with zeros": (chunked(chunks(size=b"%08x" % SIZE)), 202),
    "many zeros": (chunked(chunks(last=b"00000000\r\n")), 202),
    "a chunk for each byte": (chunked(b"".join(b"1\r\n%c\r\n" % byte for byte in EVENT) + b"0\r\n\r\n"), 202),
    "a chunk that ends in empty lines": (chunked(chunks(size=b"%x" % (SIZE + 4), data=EVENT + b"\r\n\r\n")), 202),
    "an extension": (chunked(chunks(size=b"%x;a" % SIZE)), 202),
    "an extension with a value": (chunked(chunks(size=b"%x;chunk-signature=0123456789abcdef" % SIZE)), 202),
    "a quoted extension": (chunked(chunks(size=b'%x;a="b;c d"' % SIZE)), 202),
    "blanks around an extension": (chunked(chunks(size=b"%x \t; a = b ;c" % SIZE)), 202),
    "an extension of the last chunk": (chunked(chunks(last=b"0;a=b\r\n")), 202),
    "trailers": (chunked(chunks(trailers=b"X-Sum: 1\r\nY:\r\nContent-Length-X: 5\r\n\r\n")), 202),
    "no chunk": (chunked(b"0\r\n\r\n"), 422),
    # Hosts
    "a host and a port": (host(b"hooks.example.com:8080"), 200),
    "an address": (host(b"127.0.0.1:8080"), 200),
    "an address of IPv6": (host(b"[::1]:8080"), 200),
    "an address with a zone": (host(b"[fe80::1%eth0]"), 200),
    "an underscore in the host": (host(b"hooks_1"), 200),
    "an escape in the host": (host(b"%2Frun%2Fhooks.sock"), 200),
    "an empty host": (get(b"Host:"), 200),
    "an empty port": (host(b"h:"), 200),
    "blanks before the host": (host(b" \th"), 200),
    "no host by HTTP/1.0": (get(line=b"GET /livez HTTP/1.0"), 200, CLOSES),
    # Targets and versions
    "a URL": (line(b"GET http://h/livez HTTP/1.1"), 200),
    "a URL in capitals": (line(b"GET HTTP://H:80/livez HTTP/1.1"), 200),
    "a URL with a query": (line(b"GET https://h:443/livez?a=b HTTP/1.1"), 200),
    "a URL without a path": (line(b"GET http://h HTTP/1.1"), 200),
    "all paths": (line(b"OPTIONS * HTTP/1.1"), 404),
    "a path that is not ASCII": (line("GET /é HTTP/1.1".encode()), 404),
    "an unknown method": (line(b"M-SEARCH /livez HTTP/1.1"), 405),
    "a method in small letters": (line(b"get /livez HTTP/1.1"), 405),
    "a later version": (line(b"GET /livez HTTP/1.2"), 200),
    "a body by HTTP/1.0": (post(LENGTH, line=b"POST /events HTTP/1.0"), 202, CLOSES),
    "HTTP/1.0 that stays": (post(LENGTH, b"Connection: keep-alive", line=b"POST /events HTTP/1.0"), 202),
    "empty lines before a request": (b"\r\n\r\n" + post(LENGTH), 202),
    # Other headers
    "a name that is only alike": (post(b"Content_Length: 5", b"X-Transfer-Encoding: gzip", LENGTH), 202),
    "a value that is not ASCII": (post(b"X: \xe9\xc3\xa9", LENGTH), 202),
    "an empty value": (post(b"X:", LENGTH), 202),
    "an expectation": (post(LENGTH, b"Expect: 100-continue"), 100, 202),
    "an expectation of chunks": (post(CHUNKED, b"expect:100-Continue", body=chunks()), 100, 202),
    "trailers that are taken": (post(b"TE: trailers", LENGTH), 202),
    "HTTP/2 that is asked for": (
        post(b"Connection: Upgrade, HTTP2-Settings, keep-alive", b"Upgrade: h2c", b"HTTP2-Settings: AAMAAABk", LENGTH), 202),
    "another protocol that is asked for": (post(b"Connection: Upgrade", b"Upgrade: websocket", LENGTH), 202, CLOSES),
    "a method that is like CONNECT": (line(b"connect /livez HTTP/1.1"), 405),
    "the end of the connection": (post(b"Connection: close", LENGTH), 202, CLOSES),
}
