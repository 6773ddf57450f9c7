// A receiver of webhooks as customers write it: node's own servers, the raw body given to the verifiers that Standard
// Webhooks and Svix publish. `node receiver.mjs http`, or `node receiver.mjs http2 CHAIN KEY`: HTTP/2 and HTTP/1.1 over
// TLS. Prints the port, then a line of JSON a request. A line of JSON on stdin gives the secrets to try: {name: secret}.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { createSecureServer } from "node:http2";
import { createInterface } from "node:readline";

import { Webhook as StandardWebhook } from "standardwebhooks";
import { Webhook as SvixWebhook } from "svix";

const [protocol, chain, key] = process.argv.slice(2);
let secrets = {};

function made(Webhook, secret) {
  return secret.startsWith("whsec_") ? new Webhook(secret) : new Webhook(Buffer.from(secret), { format: "raw" });
}

function verdict(Webhook, secret, body, headers) {
  try {
    made(Webhook, secret).verify(body, headers);
    return "verified";
  } catch (error) {
    return String(error.message);
  }
}

// As docs/webhooks.md tells it to those who use neither library.
function own(secret, body, headers) {
  const hmac = createHmac("sha256", secret).update(`${headers["x-hl-timestamp"]}.`).update(body).digest("hex");
  return headers["x-hl-signature"] === `v1=${hmac}` ? "verified" : "another signature";
}

function answer(request, response) {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", () => {
    const body = Buffer.concat(parts);
    const verdicts = {};
    for (const [name, secret] of Object.entries(secrets)) {
      verdicts[name] = {
        standardwebhooks: verdict(StandardWebhook, secret, body, request.headers),
        svix: verdict(SvixWebhook, secret, body, request.headers),
        own: own(secret, body, request.headers),
      };
    }
    response.writeHead(200);
    response.end();
    console.log(JSON.stringify({
      version: request.httpVersion, path: request.url, headers: request.headers, body: body.toString("base64"), verdicts,
    }));
  });
}

createInterface({ input: process.stdin }).on("line", (line) => {
  secrets = JSON.parse(line);
  console.log(JSON.stringify({ secrets: Object.keys(secrets) }));
}).on("close", () => process.exit(0));

const server = protocol === "http2"
  ? createSecureServer({ cert: readFileSync(chain), key: readFileSync(key), allowHTTP1: true }, answer)
  : createServer(answer);
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ port: server.address().port })));
