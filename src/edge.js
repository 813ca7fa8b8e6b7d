// The waiting, and what Python would pay for with a crossing for each promise, header and piece of
// data. It decides nothing: every step, every text for the client, and when to stop, is Python's.

let env, clientHeaders, upstreamHeaders, advance, feed, tell;

export const attach = (...given) =>
  ([env, clientHeaders, upstreamHeaders, advance, feed, tell] = given);

const CRUMBS = 64;

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

// All goes into one buffer that grows, so that a body costs its bytes, in however many pieces they
// come. A piece costs a promise and two views as well, 400 bytes of garbage: from a body that comes
// in crumbs more than one is taken at once. Up to `CRUMBS` bytes may then come before they count as
// heard.
async function read(io, message, limit, milliseconds) {
  if (message.headers.get("content-length") > limit) return ["size"];
  if (!message.body) return ["", new Uint8Array()];
  const reader = message.body.getReader({ mode: "byob" });
  let buffer = new ArrayBuffer(Math.min(16384, limit + 1));
  let size = 0;
  let least = 1;
  let heard = Date.now();
  let told = heard;
  let failure, timer;
  const stop = (why) => ((failure = why), reader.cancel());
  const watch = () => {
    const left = heard + milliseconds - Date.now();
    if (left > 0) timer = setTimeout(watch, left);
    else stop("time");
  };
  watch();
  try {
    while (size <= limit) {
      if (size === buffer.byteLength) buffer = buffer.transfer(Math.min(2 * size, limit + 1));
      const room = new Uint8Array(buffer, size);
      const { done, value } = await reader.read(room, { min: Math.min(least, room.length) });
      if (done) return failure ? [failure] : ["", new Uint8Array(value.buffer, 0, size)];
      buffer = value.buffer;
      size += value.length;
      const waited = Date.now() - heard;
      heard += waited;
      least = waited < 10 ? Math.min(2 * least, CRUMBS) : 1;
      if (heard < told + 1000) continue;
      told = heard;
      tell(io.number, "piece");
    }
    await stop("size");
  } catch {
  } finally {
    clearTimeout(timer);
  }
  return [failure ?? "connection"];
}

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
