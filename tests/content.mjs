// src/content.js for tests in Python: each line of the standard input is a body in Latin-1, as JSON,
// and is answered by a line: [what is left of it, what was left out, what both make together].

import { createInterface } from "node:readline";
import { putBack, takeOut } from "../src/content.js";

const MARK = "0123456789abcdef0123456789abcdef";
const text = (bytes) => Buffer.from(bytes).toString("latin1");

for await (const line of createInterface({ input: process.stdin })) {
  const bytes = new Uint8Array(Buffer.from(JSON.parse(line), "latin1"));
  const { body, views } = takeOut(bytes, MARK);
  const whole = putBack(body, MARK, views).map(text).join("");
  console.log(JSON.stringify([text(body), views.map(text), whole]));
}
