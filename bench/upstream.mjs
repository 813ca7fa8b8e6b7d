// The upstream that every rival is measured against: Anthropic's and OpenAI's wire format, made
// ahead and written event by event, so that its own share of the machine stays small.
//
// The end of the model's name says what to send: KIND-COUNT-GAP-PACK, that is COUNT events of KIND
// (text, tools, stamp), PACK events in one write, GAP milliseconds between writes, 0 for none.
// A "stamp" is a text that tells when it was written, in milliseconds of the machine's clock.
//
// Prints its port, and ends when its standard input does.

import { createServer } from "node:http";

const WORDS = [
  " the", " model", " writes", " one", " token", " after", " another", ",", " and", " each", " of",
  " them", " is", " small", ":", ' "quoted"', " naïve", ".", "\n\n", " Then",
];
const PIECES = ['{"city', '": "', "Par", "is", '", "unit', '": "c', "els", "ius", '"}', " "];
const KINDS = { text: (i) => WORDS[i % WORDS.length], tools: (i) => PIECES[i % PIECES.length] };
const USAGE = { prompt_tokens: 25, completion_tokens: 200, total_tokens: 225 };

const now = () => Number(process.hrtime.bigint()) / 1e6;
const frame = (value) => `data: ${JSON.stringify(value)}\n\n`;

const anthropic = {
  frame: (event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`,
  head(kind, model) {
    const usage = { input_tokens: 25, output_tokens: 1 };
    const message = {
      id: "msg_01XFDUDYJgAACzvnptvVoYEL", type: "message", role: "assistant", model, content: [],
      stop_reason: null, stop_sequence: null, usage,
    };
    const content_block = kind === "tools"
      ? { type: "tool_use", id: "toolu_01T1x1fJ34qAmk2tNTrN7Up6", name: "get_weather", input: {} }
      : { type: "text", text: "" };
    return [
      { type: "message_start", message },
      { type: "content_block_start", index: 0, content_block },
      { type: "ping" },
    ].map(this.frame);
  },
  event(kind, text) {
    const delta = kind === "tools"
      ? { type: "input_json_delta", partial_json: text }
      : { type: "text_delta", text };
    return this.frame({ type: "content_block_delta", index: 0, delta });
  },
  tail(kind, count) {
    const stop_reason = kind === "tools" ? "tool_use" : "end_turn";
    return [
      { type: "content_block_stop", index: 0 },
      {
        type: "message_delta",
        delta: { stop_reason, stop_sequence: null },
        usage: { output_tokens: count },
      },
      { type: "message_stop" },
    ].map(this.frame);
  },
  whole: (text, model) => ({
    id: "msg_01XFDUDYJgAACzvnptvVoYEL", type: "message", role: "assistant", model,
    content: [{ type: "text", text }], stop_reason: "end_turn", stop_sequence: null,
    usage: { input_tokens: 25, output_tokens: 200 },
  }),
};

const openai = {
  chunk: (delta, finish_reason = null) => ({
    id: "chatcmpl-CeXkPq3v8mZ1tY0hR5wLbN2dJf7sA", object: "chat.completion.chunk",
    created: 1795305600, model: "gpt-4.1-mini-2025-04-14", service_tier: "default",
    system_fingerprint: "fp_3c9a1f7e52",
    choices: [{ index: 0, delta, logprobs: null, finish_reason }], usage: null,
  }),
  head(kind) {
    const call = {
      index: 0, id: "call_DdmO9pD3xa9XTPNJ32zg2hcA", type: "function",
      function: { name: "get_weather", arguments: "" },
    };
    const delta = kind === "tools"
      ? { role: "assistant", content: null, tool_calls: [call], refusal: null }
      : { role: "assistant", content: "", refusal: null };
    return [frame(this.chunk(delta))];
  },
  event(kind, text) {
    const delta = kind === "tools"
      ? { tool_calls: [{ index: 0, function: { arguments: text } }] }
      : { content: text };
    return frame(this.chunk(delta));
  },
  tail(kind) {
    const finish = this.chunk({}, kind === "tools" ? "tool_calls" : "stop");
    return [
      frame(finish),
      frame({ ...finish, choices: [], usage: USAGE }),
      "data: [DONE]\n\n",
    ];
  },
  whole: (text, model) => ({
    id: "chatcmpl-CeXkPq3v8mZ1tY0hR5wLbN2dJf7sA", object: "chat.completion", created: 1795305600,
    model, service_tier: "default", system_fingerprint: "fp_3c9a1f7e52",
    choices: [{
      index: 0, message: { role: "assistant", content: text, refusal: null, annotations: [] },
      logprobs: null, finish_reason: "stop",
    }],
    usage: USAGE,
  }),
};

// Every event of KIND is one of these, so that nothing is serialised while others are measured.
const ready = new Map();
function events(dialect, kind) {
  const key = `${dialect === anthropic} ${kind}`;
  if (!ready.has(key)) {
    const period = kind === "tools" ? PIECES.length : WORDS.length;
    ready.set(key, Array.from({ length: period }, (_, i) => dialect.event(kind, KINDS[kind](i))));
  }
  return ready.get(key);
}

function* packs(dialect, { kind, count, pack, model }) {
  const made = kind === "stamp" ? null : events(dialect, kind);
  const event = made
    ? (i) => made[i % made.length]
    : () => dialect.event("text", ` @${now().toFixed(3)}@`);
  yield* dialect.head(kind, model);
  for (let i = 0; i < count; i += pack) {
    let text = "";
    for (let j = i; j < Math.min(count, i + pack); j++) text += event(j);
    yield text;
  }
  yield* dialect.tail(kind, count);
}

function stream(response, dialect, wanted) {
  response.writeHead(200, { "content-type": "text/event-stream; charset=utf-8" });
  const source = packs(dialect, wanted);
  const next = () => {
    for (;;) {
      const { done, value } = source.next();
      if (done) return response.end();
      const full = !response.write(value);
      if (response.destroyed) return;
      if (wanted.gap) return setTimeout(next, wanted.gap);
      if (full) return response.once("drain", next);
    }
  };
  next();
}

function whole(response, dialect, { count, model }) {
  let text = "";
  for (let i = 0; i < count; i++) text += WORDS[i % WORDS.length];
  const body = JSON.stringify(dialect.whole(text, model));
  response.writeHead(200, { "content-type": "application/json" });
  response.end(body);
}

const server = createServer((request, response) => {
  const pieces = [];
  request.on("data", (piece) => pieces.push(piece));
  request.on("end", () => {
    const body = Buffer.concat(pieces).toString("latin1");
    const [, model = ""] = /"model":\s*"([^"]+)"/.exec(body) ?? [];
    const [kind, count, gap, pack] = model.split("-").slice(-4);
    const dialect = request.url.endsWith("/messages") ? anthropic : openai;
    const wanted = { kind, count: Number(count), gap: Number(gap), pack: Number(pack), model };
    const streamed = /"stream":\s*true/.test(body);
    (streamed ? stream : whole)(response, dialect, wanted);
  });
});
server.keepAliveTimeout = 600_000;
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit()).resume();
