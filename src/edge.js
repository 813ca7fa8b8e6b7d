// The waiting, and what Python would pay for with a crossing for each promise, header and piece of
// data. It decides nothing: every step, every text for the client, and when to stop, is Python's.

let env, clientHeaders, upstreamHeaders, advance, feed, tell;

export const attach = (...given) =>
  ([env, clientHeaders, upstreamHeaders, advance, feed, tell] = given);

const named = (headers, names) =>
  Object.fromEntries(names.map((it) => [it, headers.get(it) ?? undefined]));

export function head(request) {
  const token = crypto.randomUUID().replaceAll("-", "");
  const path = URL.parse(request.url)?.pathname ?? ""; // a client's Host may be no part of a URL
  return JSON.stringify([token, request.method, path, named(request.headers, clientHeaders)]);
}

// The promise is inside an object, for Pyodide makes a future of every one that is returned to it.
export const serve = (...given) => ({ response: live(...given) });

// What is said is JSON, or an array of that and a body.
async function live(request, number, said) {
  for (const io = { request, number }; ; ) {
    const [text, body] = [said].flat();
    const [name, ...given] = JSON.parse(text);
    if (name === "answer") return answer(body ?? io.readable, ...given);
    io.body = body;
    said = advance(number, ...(await steps[name](io, ...given)));
  }
}

function answer(body, status, headers, line) {
  if (line) console.log(line);
  return new Response(body, { status, headers });
}

const steps = {
  call,
  callAll,
  begin,
  readBody: (io, ...limits) => read(io, io.request, ...limits),
  collect: (io, ...limits) => read(io, io.response, ...limits),
  wait: (_, milliseconds) => new Promise((done) => setTimeout(() => done([]), milliseconds)),
};

async function call(io, binding, url, init, milliseconds, ...limits) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), milliseconds);
  try {
    const options = { ...init, body: io.body, signal: late.signal };
    io.response = await (binding ? env[binding] : globalThis).fetch(url, options);
  } catch {
    return [late.signal.aborted ? "time" : "connection"];
  } finally {
    clearTimeout(timer);
  }
  const said = JSON.stringify([io.response.status, named(io.response.headers, upstreamHeaders)]);
  return limits.length ? [said, ...(await read(io, io.response, ...limits))] : [said];
}

async function callAll(io, calls, limit, milliseconds) {
  const late = AbortSignal.timeout(milliseconds);
  const answers = calls.map(async ({ binding, url, ...init }) => {
    try {
      const options = { ...init, redirect: "manual", signal: late };
      const response = await (binding ? env[binding] : globalThis).fetch(url, options);
      const [failure, body] = await read(io, response, limit, milliseconds);
      if (failure) return { failure: late.aborted ? "time" : failure };
      const headers = named(response.headers, upstreamHeaders);
      return { status: response.status, headers, body };
    } catch {
      return { failure: late.aborted ? "time" : "connection" };
    }
  });
  const heard = await Promise.all(answers);
  const heads = heard.map(({ body, ...head }) => head);
  return [JSON.stringify(heads), ...heard.map(({ body }) => body)];
}

async function read(io, message, limit, milliseconds) {
  if (message.headers.get("content-length") > limit) return ["size"];
  if (!message.body) return ["", new Uint8Array()];
  const reader = message.body.getReader();
  const pieces = [];
  let told = Date.now();
  let failure, timer;
  const stop = (why) => ((failure = why), reader.cancel());
  try {
    for (let size = 0; size <= limit; ) {
      timer = setTimeout(() => stop("time"), milliseconds);
      const { done, value } = await reader.read();
      clearTimeout(timer);
      if (done) return failure ? [failure] : ["", await whole(pieces)];
      pieces.push(value);
      size += value.length;
      if (Date.now() < told + 1000) continue;
      told = Date.now();
      tell(io.number, "piece");
    }
    await stop("size");
  } catch {
    clearTimeout(timer);
  }
  return [failure ?? "connection"];
}

const whole = (pieces) => (pieces.length === 1 ? pieces[0] : new Blob(pieces).bytes());

function begin(io, milliseconds) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const encoder = new TextEncoder();
  const { readable, writable } = new IdentityTransformStream();
  const reader = io.response.body.getReader({ mode: "byob" });
  const writer = writable.getWriter();
  let begun, over;
  const beginning = new Promise((resolve) => (begun = () => resolve([])));
  // Frames come as a text; the last ones in an array, with the log line.
  const take = (said) => {
    if (typeof said === "string") return said;
    const [frames, line] = said;
    over = true;
    clearInterval(timer);
    reader.cancel().catch(() => {});
    if (line) console.log(line);
    return frames;
  };
  const on = (event) => (over ? "" : take(tell(io.number, event)));
  const send = (frames) => {
    if (frames || over) begun();
    return frames && writer.write(encoder.encode(frames)).catch(() => on("left"));
  };
  const timer = setInterval(() => send(on("tick")), milliseconds);
  const pump = async () => {
    for (let buffer = new Uint8Array(16384); !over; ) {
      const { done, value } = await reader.read(buffer);
      if (done) break;
      const text = decoder.decode(value, { stream: true });
      buffer = new Uint8Array(value.buffer);
      if (!over) await send(take(feed(io.number, text)));
    }
    if (!over) await send(take(feed(io.number, decoder.decode())));
  };
  io.request.signal.addEventListener("abort", () => on("left"));
  pump()
    .catch(() => {})
    .then(() => send(on("close")))
    .finally(() => writer.close().catch(() => {}));
  io.readable = readable;
  return beginning;
}
