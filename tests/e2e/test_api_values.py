"""Extreme values in the management API: it returns them as they were sent, or refuses them."""

import pytest


@pytest.mark.parametrize("number", [1, 2**31, 10**15, 2**53 - 1, 2**53])
def test_large_integers_keep_every_digit(hookline, number):
    path = f"/v1/tenants/{hookline.new_tenant().id}/api-keys"
    reply = hookline.admin.post(path, {"bytes_per_second": number})
    assert reply.status == 201 and b'"bytes_per_second":%d,' % number in reply.body
    patched = hookline.admin.patch(f"/v1/apikeys/{reply.json['id']}", reply.json | {"name": "as it was"})
    assert patched.status == 200 and b'"bytes_per_second":%d,' % number in patched.body


@pytest.mark.parametrize("number", ["0", "-1", "-0", "1e3", "1.5", "true", '"1"', str(2**53 + 1), str(2**63), "1" * 400])
def test_numbers_that_are_no_integer_in_bounds_are_refused(hookline, number):
    path = f"/v1/tenants/{hookline.new_tenant().id}/api-keys"
    reply = hookline.admin.post(path, '{"bytes_per_second": %s}' % number)
    assert (reply.status, reply.json["error"]) == (400, "validation_error")
    assert reply.json["detail"].startswith("bytes_per_second: must be a whole number from 1 to ")


@pytest.mark.parametrize("name", ["\u00e9", "e\u0301", "\u202eabc\u202c", "\U0001f469\u200d\U0001f467", "\ufeffx", "\U0001f469" * 255,
                                  "a\\b\"c'd%s"])
def test_names_keep_their_code_points(hookline, name):
    client = hookline.new_tenant(name=name).client
    reply = client.post("/v1/endpoints", {"url": "https://example.com/", "name": name})
    assert (reply.status, reply.json["name"]) == (201, name)
    assert client.get(f"/v1/endpoints/{reply.json['id']}").json["name"] == name


def test_an_error_names_the_member(hookline):
    client = hookline.new_tenant().client
    for member, value in {"headers": {f"x-{n}": "v" for n in range(33)}, "retry_schedule": ["1s"] * 900}.items():
        reply = client.post("/v1/endpoints", {"url": "https://example.com/", member: value})
        assert reply.status == 400 and reply.json["detail"].startswith(f"{member}: has {len(value)} "), reply
