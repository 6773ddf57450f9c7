#!/usr/bin/python3
"""
A service that one might write in half an hour instead of hooksd: aiohttp, json, and a file, or COPY into PostgreSQL for
each request. The benchmark compares hooksd with it. It checks almost nothing, and its 202 does not mean that a file is
on disk.

  service.py PORT FILE | service.py PORT postgresql://...
"""

import asyncio
import datetime
import json
import sys
import uuid

import psycopg
from aiohttp import web

PORT, STORE = int(sys.argv[1]), sys.argv[2]
CONNECTIONS = 4
COPY = "COPY hook_events (event_id, timestamp, created_date, event_type, session_id, workflow_id, phase_id, data) FROM STDIN"


async def open_store(app):
    if not STORE.startswith("postgresql:"):
        app["file"] = open(STORE, "a", encoding="utf-8")
        return
    app["connections"] = asyncio.Queue()
    for _ in range(CONNECTIONS):
        app["connections"].put_nowait(await psycopg.AsyncConnection.connect(STORE))


def row(event):
    when = datetime.datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
    return (event.get("event_id") or uuid.uuid4(), when, when.date(), event["event_type"], event["session_id"],
            event.get("workflow_id"), event.get("phase_id"), json.dumps(event.get("data") or {}))


async def store(app, events):
    if "file" in app:
        app["file"].write("".join(json.dumps(event) + "\n" for event in events))
        app["file"].flush()
        return
    connection = await app["connections"].get()
    try:
        async with connection.transaction(), connection.cursor() as cursor, cursor.copy(COPY) as copy:
            for event in events:
                await copy.write_row(row(event))
    finally:
        app["connections"].put_nowait(connection)


async def post(request):
    body = await request.json()
    events = body if isinstance(body, list) else [body]
    if not all(event.get("event_type") and event.get("session_id") for event in events):
        return web.json_response({"detail": "Field required"}, status=422)
    await store(request.app, events)
    return web.json_response({"accepted": len(events), "message": "Events accepted"}, status=202)


app = web.Application(client_max_size=8 << 20)
app.on_startup.append(open_store)
app.router.add_post("/events", post)
app.router.add_post("/events/batch", post)
web.run_app(app, host="127.0.0.1", port=PORT, print=None, access_log=None)
