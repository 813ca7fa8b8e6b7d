// Loads on the rivals: each line of the standard input is one, as JSON, and is answered by one line.
//
// In: {url, headers, body, filler, picture, clients, requests, seconds, events, stamped, anything}. CLIENTS
// clients, each with one connection, send BODY until there were REQUESTS in all, or until SECONDS
// are over; a FILLER makes its first message that many bytes long, a PICTURE is a file of so many
// bytes in it, as Chat Completions has one.
// Out: {seconds, requests, failed, pieces, first, delays, answer}: pieces of body received,
// milliseconds until the first piece of each answer, and from the writing of each STAMPED event
// until it was here. An answer with fewer than EVENTS, or wrong in another way (unless ANYTHING is
// right), counts as failed, and one is shown: a rival that answers wrongly is no rival.

import { Agent, request } from "node:http";
import { createInterface } from "node:readline";

const STAMP = / @(\d+\.\d{3})@/g;
const agents = new Map();

const now = () => Number(process.hrtime.bigint()) / 1e6;

function agentOf({ url, clients }) {
  const key = `${new URL(url).origin} ${clients}`;
  if (!agents.has(key)) agents.set(key, new Agent({ keepAlive: true, maxSockets: clients }));
  return agents.get(key);
}

function bytesOf({ body, filler, picture }) {
  if (picture) {
    const file = Buffer.alloc(picture);
    file.set([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
    const url = `data:image/png;base64,${file.toString("base64")}`;
    body.messages[0].content = [
      { type: "text", text: "What is this?" },
      { type: "image_url", image_url: { url } },
    ];
  }
  if (filler) body.messages[0].content = "A question of many words. ".repeat(filler / 26);
  return Buffer.from(JSON.stringify(body));
}

function isRight({ body, events, anything }, status, text) {
  if (status !== 200) return false;
  if (anything) return true;
  if (!body.stream) return text.includes('"choices"') || text.includes('"content"');
  const frames = text.split("\ndata:").length;
  return frames >= events && /(\[DONE\]|"message_stop"\})\s*$/.test(text);
}

function ask(load, agent, bytes, seen) {
  return new Promise((resolve, reject) => {
    const begun = now();
    const options = { method: "POST", headers: load.headers, agent };
    const call = request(load.url, options, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (piece) => {
        if (!text) seen.first.push(now() - begun);
        seen.pieces += 1;
        if (load.stamped) {
          const at = now();
          for (const [, stamp] of piece.matchAll(STAMP)) seen.delays.push(at - stamp);
        }
        text += piece;
      });
      answer.on("error", reject);
      answer.on("end", () => {
        seen.requests += 1;
        if (!isRight(load, answer.statusCode, text)) {
          seen.failed += 1;
          seen.answer = `${answer.statusCode} ${text.slice(0, 500)} … ${text.slice(-200)}`;
        }
        resolve();
      });
    });
    call.on("error", reject);
    call.end(bytes);
  });
}

async function run(load) {
  const seen = { requests: 0, failed: 0, pieces: 0, first: [], delays: [], answer: "" };
  const agent = agentOf(load);
  const bytes = bytesOf(load);
  let left = load.requests;
  const begun = now();
  const end = begun + load.seconds * 1000;
  const goes = () => (load.seconds ? now() < end : left-- > 0);
  const client = async () => {
    while (goes()) await ask(load, agent, bytes, seen);
  };
  await Promise.all(Array.from({ length: load.clients }, client));
  return { seconds: (now() - begun) / 1000, ...seen };
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await run(JSON.parse(line))));
}
