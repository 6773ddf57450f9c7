import { createInterface } from "node:readline";
import { verify } from "./verify.mjs";

for await (const line of createInterface({ input: process.stdin })) {
  const { secret, headers, body } = JSON.parse(line);
  try {
    verify(secret, headers, Buffer.from(body, "base64"));
    console.log("genuine");
  } catch {
    console.log("refused");
  }
}
