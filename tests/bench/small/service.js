/*
 * What one writes instead of hooksd in half an hour, with Node: http, JSON and a file. For the benchmark to compare with:
 * it checks next to nothing, and 202 does not mean that the file is on disk.
 *
 *   node service.js PORT FILE
 */
"use strict";
const fs = require("fs");
const http = require("http");

const [port, path] = process.argv.slice(2);
const file = fs.createWriteStream(path, { flags: "a" });

function answer(response, status, body) {
	const text = JSON.stringify(body);

	response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) });
	response.end(text);
}

function store(text, response) {
	const body = JSON.parse(text);
	const events = Array.isArray(body) ? body : [body];

	if (!events.every((event) => event.event_type && event.session_id))
		return answer(response, 422, { detail: "Field required" });
	file.write(events.map((event) => JSON.stringify(event) + "\n").join(""), () =>
		answer(response, 202, { accepted: events.length, message: "Events accepted" }));
}

http.createServer((request, response) => {
	const parts = [];

	request.on("data", (part) => parts.push(part));
	request.on("end", () => {
		try {
			store(Buffer.concat(parts).toString(), response);
		} catch (error) {
			answer(response, 422, { detail: error.message });
		}
	});
}).listen(Number(port), "127.0.0.1");
