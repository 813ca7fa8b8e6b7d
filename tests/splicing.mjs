// src/splice.js for tests in Python: each line of the standard input is a call, each line of the
// standard output what came of it, both as JSON.
//
// In: [[text, ...], secrets, template, between] for the next pieces of a stream. Out: first, as often
// as Python has to be asked, ["moved", count, text] or ["feed", [text, ...]], each answered by a line
// [frames, template]; at last, when all that was moved is told, ["done", frames].
//
// Text without a line end can give no frames and teach nothing; it is handed on with what follows.

import { readSync, writeSync } from "node:fs";
import { Splice } from "../src/splice.js";

let rest = "";
const buffer = Buffer.alloc(1 << 20);
const decoder = new TextDecoder();

function read() {
  let end;
  while ((end = rest.indexOf("\n")) < 0) {
    const size = readSync(0, buffer);
    if (!size) process.exit();
    rest += decoder.decode(buffer.subarray(0, size), { stream: true });
  }
  const line = rest.slice(0, end);
  rest = rest.slice(end + 1);
  return JSON.parse(line);
}

function write(value) {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
}

function ask(...call) {
  write(call);
  const [frames, template] = read();
  splice.teach(...(template ?? []).map((it) => it ?? undefined));
  return frames;
}

let waiting = [];
const python = {
  moved: (count, text) => ask("moved", count, text),
  feed(text) {
    waiting.push(text);
    return /[\r\n]/.test(text) ? flush() : "";
  },
};
function flush() {
  const texts = waiting;
  waiting = [];
  return texts.length ? ask("feed", texts) : "";
}

let splice;
for (;;) {
  const [pieces, secrets, template, between] = read();
  splice = new Splice(python, secrets);
  splice.between = between;
  splice.teach(...(template ?? []).map((it) => it ?? undefined));
  let frames = "";
  for (const piece of pieces) frames += splice.feed(piece);
  frames += flush() + splice.tell();
  write(["done", frames]);
}
