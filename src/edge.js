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

export function relay(body, feed, on, milliseconds) {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const encoder = new TextEncoder();
  let control, begin, timer, ended;
  const begun = new Promise((resolve) => (begin = resolve));
  const send = (text) => {
    if (text) control.enqueue(encoder.encode(text));
    if (text || ended) begin();
    if (ended) control.terminate();
  };
  const { readable, writable } = new TransformStream(
    {
      start: (controller) => void (control = controller),
      transform: (data) => send(feed(decoder.decode(data, { stream: true }))),
      flush: () => send(feed(decoder.decode()) + on("close")),
      cancel: () => void on("left"),
    },
    undefined,
    { highWaterMark: 1 },
  );
  timer = setInterval(() => send(on("tick")), milliseconds);
  body.pipeTo(writable, { preventAbort: true }).catch(() => send(on("close")));
  return { readable, begun, end: () => (clearInterval(timer), (ended = true)) };
}

export const respond = (body, status, headers) =>
  new Response(body, { status, headers: JSON.parse(headers) });
