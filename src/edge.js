// Does the waiting, and everything for which Python would have to call JavaScript for each promise,
// header and piece of data. It decides nothing: Python decides every step, every text for the
// client, and when to stop.
//
// Python's functions get an exchange's number, and return:
//   open, advance, failed    the next step: [its name and arguments as JSON, its body or undefined]
//   feed, moved, more, tick, close, broken  frames for the client, as text
//   pass, passTick, passed, passBroken      bytes for it: none, as they came (true), or others
//   screen                                  whether a piece of the client's body may go on
//   answered, kept, left                    nothing
//   compose                                 what the ledger of keys is to be told, if anything is
//   learn                                   nothing: it takes the ledger's answer
// and calls `stop` to end the upstream call under way, `cut` to break off what goes to the client as
// well, `end` when the exchange is over, `teach` when it knows another form of event, and `wait` when
// there are more frames than it has given.

import { waitUntil } from "cloudflare:workers";

import { putBack, takeOut } from "./content.js";
import { forAnswers, forRequests, neededBy, neededByAnswer, pause } from "./room.js";
import { Splice } from "./splice.js";

let env, clientHeaders, upstreamHeaders, python, lastResort, ledger;
const exchanges = new Map();

export const attach = (...given) =>
  ([env, clientHeaders, upstreamHeaders, python, lastResort, ledger] = given);

// The promise is inside an object, because Pyodide turns every returned promise into a future.
export const serve = (number, request) => ({ response: new Exchange(number, request).live() });

export const stop = (number) => exchanges.get(number).stop();

export const cut = (number) => exchanges.get(number).stream.cut();
export const teach = (number, ...template) => exchanges.get(number).stream.splice.teach(...template);

export const wait = (number) => (exchanges.get(number).stream.waits = true);

export function end(number) {
  exchanges.get(number).end();
  exchanges.delete(number);
}

// The ledger of keys. This isolate sends one message at a time, and all requests that need its
// answer wait for the same one. A message is sent even if the client that caused it has left.

const ANSWERED_MS = 5000;
const LATE_MS = 3000;

let telling;
let reportedAt = 0;
let due = 0;

async function within(milliseconds, promise) {
  let timer;
  const late = new Promise((_, fail) => (timer = setTimeout(fail, milliseconds, "time")));
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const asked = (text, milliseconds) =>
  within(milliseconds, env.LEDGER.getByName(ledger).call(text));

// Returns nothing, or why no answer came. If a request is cut off at its time limit, so is its
// message.
function tell() {
  if (!telling || Date.now() - reportedAt > ANSWERED_MS + LATE_MS) {
    reportedAt = Date.now();
    const own = (telling = tellOnce().finally(() => (telling = telling === own ? undefined : telling)));
    waitUntil(own);
  }
  return telling;
}

async function tellOnce() {
  const text = python.compose(0);
  if (!text) return undefined;
  const answer = await asked(text, ANSWERED_MS).catch(() => undefined);
  python.learn(0, answer);
  return answer ? undefined : "connection";
}

// Sends a message to the ledger after some time, unless one is due earlier.
export function settle(milliseconds) {
  const now = Date.now();
  if (due > now - LATE_MS && due <= now + milliseconds) return;
  const own = (due = now + milliseconds);
  waitUntil(
    pause(milliseconds).then(() => {
      if (due === own) due = 0;
      return tell();
    }),
  );
}

// A response is archived before its client has the end of it, even if the client has left.
export const keep = (number, object, text) => exchanges.get(number).keep(object, text);

// Sends a span after the answer. Nothing waits for its outcome.
export function report(url, headers, body) {
  const signal = AbortSignal.timeout(REPORT_MILLISECONDS);
  const call = { method: "POST", headers: JSON.parse(headers), body, signal, redirect: "manual" };
  const sent = fetch(url, call).then((response) => response.body?.cancel());
  waitUntil(sent.catch(() => {}));
}

const REPORT_MILLISECONDS = 10000;
const FIRST_ROOM = 16384;
const CRUMBS = 64;
const DROPPED_AT_ONCE = 65536;
const PIECE = 65536;
const STREAMED = 262144;

const KEPT_MS = 5000;

// While more of an upstream's data is there already, the runtime goes on with it and hardly looks at
// anything else: 5 MB of empty lines let six other requests through. So a stream makes a pause now
// and then. A timer of 0 ms is no pause: six again (workerd 1.20261117, observed).
// A pause costs as much as four events.
const UNPAUSED = 65536;
const PAUSE_MS = 1;

const encoder = new TextEncoder();
const decoder = new TextDecoder();

// Gives memory back at once, which the garbage collector would do later.
function free(views) {
  for (const { buffer } of views) if (!buffer.detached) buffer.transfer(0);
}

// Ignores the outcome of a promise that nothing waits for any more.
const gone = () => new Response(null, { status: 499 });

const named = (headers, names) =>
  Object.fromEntries(names.map((it) => [it, headers.get(it) ?? undefined]));

// Returns where one of our own lines failed, without the values that it failed on.
const OUR_LINE = /(content|edge|splice)\.js:\d+/;
const kindAndPlace = (error) => [error?.name, OUR_LINE.exec(error?.stack)?.[0] ?? "edge.js"];

// Redirects are not followed: they would send the upstream's key to another server.
const options = ({ headers, ...call }) => ({
  ...call,
  headers: new Headers(headers),
  redirect: "manual",
});

// Returns the answer of an archive's object; nothing if none comes in time.
async function archived(object, text, milliseconds) {
  let timer;
  const late = new Promise((done) => (timer = setTimeout(done, milliseconds)));
  try {
    return await Promise.race([env.ARCHIVE.getByName(object).call(text), late]);
  } catch (error) {
    console.error(JSON.stringify({ crash: error?.name, at: "archive", id: null }));
  } finally {
    clearTimeout(timer);
  }
}

class Exchange {
  over = false;
  share = forRequests();
  answers = forAnswers();

  constructor(number, request) {
    this.number = number;
    this.request = request;
    this.unread = request.body;
    this.token = crypto.randomUUID().replaceAll("-", "");
    exchanges.set(number, this);
    request.signal.addEventListener("abort", () => this.leave());
  }

  async live() {
    try {
      let step = python.open(this.number, this.head());
      for (;;) {
        const { name, ...given } = JSON.parse(step[0]);
        if (name === "answer") return this.answer(given, step[1]);
        this.sending = step.pop();
        const { body, ...heard } = await this[name](given);
        if (this.over) return gone();
        step = python.advance(this.number, JSON.stringify(heard), body);
        free([body].flat().filter((it) => it?.length > FIRST_ROOM)); // Python has a copy
      }
    } catch (error) {
      return this.over ? gone() : this.fail(error);
    }
  }

  head() {
    const url = URL.parse(this.request.url); // null where the client's Host is part of no URL
    const path = url?.pathname ?? "";
    const query = url?.search.slice(1) ?? "";
    const headers = named(this.request.headers, clientHeaders);
    return JSON.stringify({ token: this.token, method: this.request.method, path, headers, query });
  }

  answer({ status, headers, streams, unread }, body) {
    if (this.content) this.forget(); // no further call will be made
    this.share.shrink(0);
    const content = streams ? this.stream.readable : this.outgoing(body, unread);
    const response = new Response(content, { status, headers });
    python.answered(this.number);
    return response;
  }

  // The content may be on its way to the upstream still.
  forget() {
    const { views } = this.content;
    this.content = undefined;
    Promise.resolve(this.pouring).then(() => free(views));
  }

  fail(error) {
    try {
      const [text, body] = python.failed(this.number, ...kindAndPlace(error), this.token);
      return this.answer(JSON.parse(text), body);
    } catch (worse) {
      const [crash, at] = kindAndPlace(worse);
      const { id, body, ...head } = JSON.parse(lastResort.replaceAll("TOKEN", this.token));
      console.error(JSON.stringify({ crash, at, id }));
      end(this.number);
      return new Response(body, head);
    }
  }

  leave() {
    if (this.over) return;
    this.stream?.splice.tell(); // text that was passed on counts as used
    if (!this.over) python.left(this.number);
  }

  stop() {
    this.stream?.stop();
    this.reader?.cancel().catch(() => {});
    this.upstream?.abort();
  }

  end() {
    this.over = true;
    this.share.end();
    this.answers.end();
    this.stop();
    this.request = this.response = this.unread = this.pieces = this.content = undefined;
    this.sending = this.reader = this.upstream = this.upload = undefined;
  }

  // A large answer holds its memory until the client has it, or has left.
  outgoing(body, unread) {
    if (!(body?.length >= STREAMED)) return this.withUnread(body, unread);
    const { readable, writable } = new FixedLengthStream(body.length);
    const share = forAnswers();
    share.set(body.length);
    this.request.signal.addEventListener("abort", () => share.end());
    pour([body], writable.getWriter()).then(() => {
      free([body]);
      share.end();
    });
    return readable;
  }

  // If the connection ends while the client is still sending, the client does not see the answer. So
  // the rest of the request is read and dropped while the answer is sent.
  withUnread(body, limits) {
    if (!this.unread || !body) return body;
    if (this.request.headers.get("content-length") > limits.limit) return body;
    const { readable, writable } = new FixedLengthStream(body.length);
    const writer = writable.getWriter();
    Promise.allSettled([writer.write(body), this.dropUnread(limits)])
      .then(() => writer.close())
      .catch(() => {}); // the client has left
    return readable;
  }

  async dropUnread(limits) {
    const { unread, pieces } = this;
    await this.upload?.stop();
    pieces?.releaseLock();
    await drop(unread, limits);
  }

  // Returns the client's body, decompressed if necessary.
  incoming(coding) {
    if (coding) this.unread = this.unread?.pipeThrough(new DecompressionStream(coding));
    return this.unread;
  }

  // Returns the outcome of reading the client's body. Of a body that was too large, a rest is left.
  bodyRead(heard, coding) {
    if (heard.failure !== "size") this.unread = undefined;
    if (coding && heard.failure === "connection") heard.failure = "coding";
    return heard;
  }

  // The steps. Each returns its outcome: `failure`, `status` and `headers`, `body`.

  async readBody({ coding, most, ...limits }) {
    const { headers } = this.request;
    const message = { body: this.incoming(coding), headers };
    this.share.lasts = !most; // Python keeps what will be archived with the answer
    const heard = await this.read(message, limits, this.share, (size) => neededBy(size, most));
    return this.taken(this.bodyRead(heard, coding), most);
  }

  // Returns the outcome of reading the client's body without its long content, which is kept here.
  async taken(heard, most) {
    if (heard.failure || !most) return heard;
    const mark = crypto.randomUUID().replaceAll("-", "");
    const { body, views } = takeOut(heard.body, mark);
    if (body.length > most) return { failure: "size" };
    if (views.length) this.content = { mark, views };
    return (await this.weigh(body, heard.body)) ? { body } : { failure: "memory" };
  }

  // Now it is known how much of the client's body Python reads.
  weigh(body, whole) {
    if (whole.length <= FIRST_ROOM) return true;
    const bytes = neededBy(body.length) + (body === whole ? 0 : whole.length);
    this.share.shrink(bytes);
    return this.share.grow(bytes - this.share.bytes);
  }

  // Returns the outgoing body, with the content of the client's body put back, for each call anew.
  // A large one is a stream: bytes that fetch is given stay in memory until the answer comes.
  whole(body, is_last) {
    const parts = body && this.content ? putBack(body, this.content.mark, this.content.views) : [body];
    const length = parts.reduce((sum, part) => sum + (part?.length ?? 0), 0);
    if (is_last) this.share.shrink(length); // Python has forgotten the request
    if (length < STREAMED) return body;
    const { readable, writable } = new FixedLengthStream(length);
    this.pouring = pour(parts, writable.getWriter()).then(() => {
      free(is_last ? parts : [body]);
      if (is_last) this.share.shrink(0);
    });
    return readable;
  }

  async readPiece({ milliseconds, coding }) {
    this.pieces ??= this.incoming(coding)?.getReader({ mode: "byob" });
    if (!this.pieces) return { body: new Uint8Array() };
    const { failure, value } = await this.nextPiece(milliseconds);
    if (value && !(await this.share.grow(value.length))) return { failure: "memory" };
    if (value) return { body: value };
    return this.bodyRead(failure ? { failure } : { body: new Uint8Array() }, coding);
  }

  async nextPiece(milliseconds) {
    const { pieces } = this;
    let late = false;
    const giveUp = () => {
      late = true;
      pieces.cancel().catch(() => {});
    };
    const timer = setTimeout(giveUp, milliseconds);
    try {
      const { done, value } = await pieces.read(new Uint8Array(PIECE));
      if (late) return { failure: "time" };
      return done ? {} : { value };
    } catch {
      return late ? { failure: "time" } : { failure: "connection" };
    } finally {
      clearTimeout(timer);
    }
  }

  async collect(limits) {
    const heard = await this.read(this.response, limits);
    if (heard.failure) this.upstream?.abort();
    this.upstream = undefined; // the call has ended, so it need not be aborted
    return heard;
  }

  async call({ binding, url, method, headers, milliseconds, collect, is_last, upload }) {
    const upstream = (this.upstream = new AbortController());
    let late = false;
    const giveUp = () => {
      late = true;
      upstream.abort();
    };
    if (upload) {
      this.upload = new Upload(this, upload);
      this.share.shrink(0);
    }
    const body = this.upload?.readable ?? this.whole(this.sending, is_last);
    const timer = setTimeout(giveUp, milliseconds);
    const given = options({ method, headers, signal: upstream.signal, body });
    this.sending = undefined;
    if (is_last) this.content = undefined;
    try {
      this.response = await (binding ? env[binding] : globalThis).fetch(url, given);
    } catch {
      return { failure: late ? "time" : "connection" };
    } finally {
      clearTimeout(timer);
    }
    const head = {
      status: this.response.status,
      headers: named(this.response.headers, upstreamHeaders),
    };
    return collect ? { ...head, ...(await this.collect(collect)) } : head;
  }

  // Makes calls without bodies at the same time. Their outcome is `answers` and an array of bodies.
  async callAll({ calls, limit, milliseconds }) {
    this.upstream = new AbortController();
    let late = false;
    const giveUp = () => {
      late = true;
      this.upstream?.abort();
    };
    const timer = setTimeout(giveUp, milliseconds);
    const { signal } = this.upstream;
    const one = async ({ binding, url, method, headers }) => {
      const given = options({ method, headers, signal });
      const response = await (binding ? env[binding] : globalThis).fetch(url, given);
      const { failure, body } = await this.read(response, { limit, milliseconds });
      if (failure) return { failure: late ? "time" : failure };
      return { status: response.status, headers: named(response.headers, upstreamHeaders), body };
    };
    const failed = () => ({ failure: late ? "time" : "connection" });
    const heard = await Promise.all(calls.map((given) => one(given).catch(failed)));
    clearTimeout(timer);
    return { answers: heard.map(({ body, ...head }) => head), body: heard.map((it) => it.body) };
  }

  async askArchive({ object, milliseconds }) {
    const text = decoder.decode(this.sending);
    this.sending = undefined;
    const answer = await archived(object, text, milliseconds);
    if (!answer) return { failure: "connection" };
    const body = encoder.encode(answer);
    const isSmall = body.length <= FIRST_ROOM;
    return isSmall || (await this.share.grow(neededBy(body.length))) ? { body } : { failure: "memory" };
  }

  keep(object, text) {
    const answer = archived(object, text, KEPT_MS);
    this.kept = answer.then((reply) => python.kept(this.number, reply !== undefined));
    waitUntil(this.kept);
  }

  begin({ passes, ...given }) {
    this.stream = new (passes ? Passage : Stream)(this, given);
    return this.stream.begun;
  }

  async renew({ milliseconds }) {
    const failure = await within(milliseconds, tell()).catch(() => "time");
    return failure ? { failure } : {};
  }

  async askLedger({ text, milliseconds }) {
    const answer = await asked(text, milliseconds).catch(() => undefined);
    return answer ? { body: encoder.encode(answer) } : { failure: "connection" };
  }

  async wait({ milliseconds }) {
    await pause(milliseconds);
    return {};
  }

  // All bytes go into one buffer that grows, so that a body costs no more than its bytes, however
  // many pieces it has. Each piece also costs a promise and two views, 400 bytes of garbage. So of a
  // body in tiny pieces, several are read at once: then up to `CRUMBS` bytes may come before they
  // are noticed. A body with a declared length has ended once that many bytes have come.
  async read(message, limits, share = this.answers, needed = neededByAnswer) {
    const { limit, milliseconds, within = Infinity } = limits;
    if (!message.body) return { body: new Uint8Array() };
    const reader = (this.reader = message.body.getReader({ mode: "byob" }));
    const declared = lengthOf(message.headers);
    let buffer = new ArrayBuffer(Math.min(FIRST_ROOM, limit + 1, declared || Infinity));
    let size = 0;
    let counted = 0;
    let least = 1;
    const last = Date.now() + within;
    let heard = Date.now();
    let failure, timer;
    const watch = () => {
      const left = Math.min(heard + milliseconds, last) - Date.now();
      if (left > 0) return (timer = setTimeout(watch, left));
      failure = "time";
      reader.cancel().catch(() => {});
    };
    watch();
    if (declared > limit) failure = "size";
    while (!failure && size !== declared) {
      if (size === buffer.byteLength) {
        // Once an eighth of the declared length has come, the buffer gets room for all of it: each
        // time it grows, both the old and the new buffer are in memory.
        const most = Math.max(2 * size, 8 * size > declared ? declared : 0);
        const room = Math.min(most, limit + 1);
        const coming = Math.max(room, declared || 0);
        if (!(await share.grow(needed(coming) - counted))) failure = "memory";
        counted = needed(coming);
        heard = Date.now();
        if (failure) break;
        buffer = buffer.transfer(room);
      }
      const room = new Uint8Array(buffer, size);
      const min = Math.min(least, room.length);
      const piece = await reader.read(room, { min }).catch(() => (failure ??= "connection"));
      if (failure) break;
      buffer = piece.value.buffer;
      if (piece.done) break;
      size += piece.value.length;
      if (size > limit) failure = "size";
      const waited = Date.now() - heard;
      heard += waited;
      least = waited < 10 ? Math.min(2 * least, CRUMBS) : 1;
    }
    clearTimeout(timer);
    reader.releaseLock();
    this.reader = undefined;
    return failure ? { failure } : { body: new Uint8Array(buffer, 0, size) };
  }
}

// Returns the length of a body in bytes; NaN if it is not known, as for a compressed body.
function lengthOf(headers) {
  return headers.has("content-encoding") ? NaN : Number(headers.get("content-length")) || NaN;
}

async function drop(body, { limit, milliseconds }) {
  const reader = body.getReader({ mode: "byob" });
  const timer = setTimeout(() => reader.cancel().catch(() => {}), milliseconds);
  let buffer = new ArrayBuffer(DROPPED_AT_ONCE);
  try {
    for (let size = 0; size < limit; ) {
      const piece = await reader.read(new Uint8Array(buffer), { min: buffer.byteLength });
      if (piece.done) break;
      buffer = piece.value.buffer;
      size += piece.value.length;
    }
  } finally {
    clearTimeout(timer);
  }
}

// Writes in short pieces, because the writer copies each.
async function pour(parts, writer) {
  try {
    for (const part of parts)
      for (let at = 0; at < part.length; at += PIECE)
        await writer.write(part.subarray(at, at + PIECE));
    await writer.close();
  } catch {
    // The upstream reads no more; its answer says why.
  }
}

// Sends the client's body to the upstream: first what Python has read of it, then the rest as it
// comes.
class Upload {
  constructor(exchange, { length, milliseconds }) {
    const known = length !== null;
    const { readable, writable } = known ? new FixedLengthStream(length) : new IdentityTransformStream();
    this.exchange = exchange;
    this.readable = readable;
    this.writer = writable.getWriter();
    this.done = this.pump(exchange.sending, milliseconds);
  }

  async pump(start, milliseconds) {
    const { exchange, writer } = this;
    try {
      await writer.write(start);
      for (;;) {
        const { failure, value } = await exchange.nextPiece(milliseconds);
        if (failure) throw failure;
        if (!value) break;
        if (!python.screen(exchange.number, value)) throw "refused";
        await writer.write(value);
      }
      exchange.unread = undefined;
      await writer.close();
    } catch (why) {
      // A form that is not whole must not look whole to the upstream.
      writer.abort(why).catch(() => {});
      exchange.upstream?.abort();
    }
  }

  stop() {
    this.writer.abort().catch(() => {});
    return this.done;
  }
}

// Passes the upstream's body on to the client as it is.
class Passage {
  over = false;
  reading = false;
  isCut = false;
  clientLeft = () => this.exchange.leave();

  constructor(exchange, { milliseconds }) {
    const { readable, writable } = new IdentityTransformStream();
    this.exchange = exchange;
    this.readable = readable;
    this.writer = writable.getWriter();
    this.reader = exchange.response.body?.getReader({ mode: "byob" });
    this.begun = new Promise((begin) => (this.begin = () => begin({})));
    this.timer = setInterval(() => this.send(this.ask("passTick", this.reading)), milliseconds);
    this.pump();
  }

  async pump() {
    try {
      const whole = await this.forward();
      await this.send(this.ask("passed", whole));
    } catch (error) {
      this.ask("passBroken", ...kindAndPlace(error));
    } finally {
      this.begin();
      if (!this.isCut) this.writer.close().catch(() => {});
    }
  }

  async forward() {
    try {
      for (let buffer = new ArrayBuffer(PIECE); this.reader && !this.over; ) {
        this.reading = true;
        const { done, value } = await this.reader.read(new Uint8Array(buffer));
        this.reading = false;
        if (done) break;
        await this.send(this.ask("pass", value), value);
        buffer = value.buffer;
      }
      return true;
    } catch (error) {
      if (this.reading) return false;
      throw error;
    }
  }

  ask(name, ...given) {
    return this.over ? undefined : python[name](this.exchange.number, ...given);
  }

  send(data, asItCame) {
    if (data || this.over) this.begin();
    const bytes = data === true ? asItCame : data;
    return bytes?.length && this.writer.write(bytes).catch(this.clientLeft);
  }

  cut() {
    this.isCut = true;
    this.stop();
    this.writer.abort(new Error("the upstream broke off")).catch(() => {});
  }

  stop() {
    this.over = true;
    clearInterval(this.timer);
    this.reader?.cancel().catch(() => {});
  }
}

// Passes the upstream's stream on to the client, through Python or the fast path.
class Stream {
  over = false;
  reading = false;
  waits = false;

  constructor(exchange, { milliseconds, secrets }) {
    const { readable, writable } = new IdentityTransformStream();
    this.exchange = exchange;
    this.readable = readable;
    this.writer = writable.getWriter();
    this.decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    const python = {
      feed: (text) => this.ask("feed", text),
      moved: (count, text) => this.ask("moved", count, text),
    };
    this.splice = new Splice(python, secrets);
    this.reader = exchange.response.body.getReader({ mode: "byob" });
    this.begun = new Promise((begin) => (this.begin = () => begin({})));
    this.timer = setInterval(() => this.send(this.tell("tick", this.reading)), milliseconds);
    this.pump();
  }

  async pump() {
    try {
      await this.forward();
      await this.send(this.splice.feed(this.decoder.decode()));
      await this.send(this.tell("close"));
    } catch (error) {
      await this.send(this.tell("broken", ...kindAndPlace(error)));
    } finally {
      this.begin();
      this.writer.close().catch(() => {});
    }
  }

  async forward() {
    try {
      let unpaused = 0;
      for (let buffer = new Uint8Array(FIRST_ROOM); !this.over; ) {
        this.reading = true;
        const { done, value } = await this.reader.read(buffer);
        this.reading = false;
        if (done) break;
        buffer = new Uint8Array(value.buffer);
        await this.send(this.splice.feed(this.decoder.decode(value, { stream: true })));
        unpaused += value.length;
        if (unpaused < UNPAUSED) continue;
        unpaused = 0;
        await pause(PAUSE_MS);
      }
    } catch (error) {
      // A broken connection counts as the end; Python knows whether something is missing.
      if (!this.reading) throw error;
    }
  }

  // Calls Python about something else than the stream's text, after telling it all that was moved.
  tell(name, ...given) {
    return this.splice.tell() + this.ask(name, ...given);
  }

  ask(name, ...given) {
    return this.over ? "" : python[name](this.exchange.number, ...given);
  }

  send(frames) {
    if (frames || this.over) this.begin();
    const written = frames && this.write(encoder.encode(frames));
    return this.waits ? this.sendMore(written) : written;
  }

  async sendMore(written) {
    await written;
    while (this.waits) {
      this.waits = false;
      const frames = this.ask("more");
      if (!frames) break;
      const bytes = encoder.encode(frames);
      await this.write(bytes);
      free([bytes]);
    }
  }

  // A response is kept before its client has the end of it.
  write(bytes) {
    const { kept } = this.exchange;
    const write = () => this.writer.write(bytes).catch(() => this.exchange.leave());
    return kept ? kept.then(write) : write();
  }

  stop() {
    this.over = true;
    this.splice.teach();
    clearInterval(this.timer);
    this.reader.cancel().catch(() => {});
  }
}
