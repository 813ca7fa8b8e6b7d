// The part of edge.py that Python would pay for with a crossing for each promise and each piece of
// data. It decides nothing: every text for the client, and when to stop, comes from Python.

export async function call(service, url, init, milliseconds, client) {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(), milliseconds);
  const signal = AbortSignal.any([client, late.signal]);
  try {
    return await (service ?? globalThis).fetch(url, { ...JSON.parse(init), signal });
  } catch {
    return late.signal.aborted ? "time" : "connection";
  } finally {
    clearTimeout(timer);
  }
}

export async function read(stream, limit, milliseconds) {
  const reader = stream.getReader();
  const pieces = [];
  let failure = "connection";
  let timer;
  const stop = (why) => ((failure = why), reader.cancel());
  try {
    for (let size = 0; size <= limit; ) {
      timer = setTimeout(() => stop("time"), milliseconds);
      const { done, value } = await reader.read();
      clearTimeout(timer);
      if (done) return failure === "time" ? failure : await new Blob(pieces).bytes();
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

export const respond = (body, status, headers) =>
  new Response(body, { status, headers: JSON.parse(headers) });
