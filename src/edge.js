// The part of edge.py that Python would pay for with a crossing for each promise, header and piece
// of data. It decides nothing: every text for the client, and when to stop, comes from Python.

const named = (headers, names) =>
  Object.fromEntries(names.split(" ").map((it) => [it, headers.get(it) ?? undefined]));

export const head = (request, names) =>
  JSON.stringify([request.method, new URL(request.url).pathname, named(request.headers, names)]);

export async function call(service, url, init, milliseconds, names, limit, idle) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), milliseconds);
  let response;
  try {
    const options = { ...JSON.parse(init), signal: late.signal };
    response = await (service ?? globalThis).fetch(url, options);
  } catch {
    return late.signal.aborted ? "time" : "connection";
  } finally {
    clearTimeout(timer);
  }
  const said = JSON.stringify([response.status, named(response.headers, names)]);
  return [said, limit === undefined ? response : await read(response, limit, idle)];
}

export async function read(message, limit, milliseconds) {
  const length = message.headers.get("content-length");
  if (length > limit) return "size";
  if (!message.body) return new Uint8Array();
  const reader = message.body.getReader();
  const pieces = [];
  let timer;
  let failure = "connection";
  const stop = (why) => ((failure = why), reader.cancel());
  try {
    for (let size = 0; size <= limit; ) {
      timer = setTimeout(() => stop("time"), milliseconds);
      const { done, value } = await reader.read();
      clearTimeout(timer);
      if (done && failure === "time") return failure;
      if (done) return pieces.length === 1 ? pieces[0] : await new Blob(pieces).bytes();
      pieces.push(value);
      size += value.length;
    }
    await stop("size");
  } catch {
    clearTimeout(timer);
  }
  return failure;
}

export function relay(body, client, feed, on, milliseconds) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const encoder = new TextEncoder();
  const { readable, writable } = new IdentityTransformStream();
  const reader = body.getReader({ mode: "byob" });
  const writer = writable.getWriter();
  let begin, over;
  const begun = new Promise((resolve) => (begin = resolve));
  const tell = (event) => (over ? "" : on(event));
  const send = (text) => {
    if (text || over) begin();
    return text && writer.write(encoder.encode(text)).catch(() => tell("left"));
  };
  const timer = setInterval(() => send(tell("tick")), milliseconds);
  const end = () => ((over = true), clearInterval(timer), void reader.cancel().catch(() => {}));
  const pump = async () => {
    for (let buffer = new Uint8Array(16384); !over; ) {
      const { done, value } = await reader.read(buffer);
      if (done) break;
      const text = decoder.decode(value, { stream: true });
      buffer = new Uint8Array(value.buffer);
      if (!over) await send(feed(text));
    }
    if (!over) await send(feed(decoder.decode()));
  };
  client.addEventListener("abort", () => tell("left"));
  pump()
    .catch(() => {})
    .then(() => send(tell("close")))
    .finally(() => writer.close().catch(() => {}));
  return { readable, begun, end };
}

export function respond(body, status, headers, line) {
  if (line) console.log(line);
  return new Response(body, { status, headers: JSON.parse(headers) });
}
