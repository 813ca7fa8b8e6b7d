// Keeps the content of images, files and speech of a request in JavaScript: megabytes of base64
// that this Worker need not read. They stay in the body's bytes, as views of them. Python gets the
// body with a placeholder (a word) for each. Where a placeholder is in an outgoing body, the bytes
// are put back.
//
// The word contains a random mark that is made for each request, so that no client can write one.
// It is base64 itself. It comes after the content's first bytes, which say what the content is, and
// it says how many characters it replaces (content.py). The removed text has no `"` and no `\` in
// it, so the string around it stays a string, however often it is quoted.
//
// This module uses nothing of Workers, and runs wherever JavaScript does.

const LEAST = 16384; // characters of base64: shorter content stays in the body
const STEP = LEAST / 4;
const HEAD = 4096; // characters of the content that stay before the word
const URI_HEAD = 256;
const READ_AT_ONCE = 65536;
const AT_THE_END = 64; // characters that stay after it, with the end's padding and escapes
const SAMPLE = 64;
const MOST = 10000; // a word has room for so many numbers
const QUOTE = 34, COMMA = 44;

// The first characters of base64 of: JPEG, PNG, GIF, RIFF (WebP, WAV), PDF, ID3 and bare MP3, Ogg,
// FLAC, MP4, ZIP (Office).
const BEGINS =
  /^(\/9j\/|iVBORw|R0lGOD|UklGR|JVBERi|SUQz|\/\/[s-vM-P]|T2dnU|ZkxhQ|AAAA.GZ0eX|UEsDB)/;
const IS_OTHER = Uint8Array.from({ length: 256 }, (_, code) =>
  /[A-Za-z0-9+/]/.test(String.fromCharCode(code)) ? 0 : 1,
);

const latin = new TextDecoder("latin1");
const ascii = new TextDecoder(); // much faster for ASCII
const encoder = new TextEncoder();

// Returns `bytes`, which are JSON, with words of `mark` (32 hex digits) in place of long content,
// and the views that the words replace, in order. Without long content it returns `bytes` itself.
export function takeOut(bytes, mark) {
  const views = [];
  const left = [];
  let from = 0;
  for (const [cut, to] of contents(bytes)) {
    if (views.length === MOST) break;
    const number = String(views.length).padStart(4, "0");
    const length = String(to - cut).padStart(8, "0");
    left.push(bytes.subarray(from, cut), encoder.encode(`xcut${mark}${number}${length}`));
    views.push(bytes.subarray(cut, to));
    from = to;
  }
  return views.length ? { body: joined([...left, bytes.subarray(from)]), views } : { body: bytes, views };
}

// Returns the parts of `body`, with `views` in place of their words.
export function putBack(body, mark, views) {
  const text = latin.decode(body);
  const word = `xcut${mark}`;
  const parts = [];
  let from = 0;
  for (let at; (at = text.indexOf(word, from)) >= 0; from = at + word.length + 12) {
    const number = text.slice(at + word.length, at + word.length + 4);
    parts.push(body.subarray(from, at), views[Number(number)]);
  }
  return [...parts, body.subarray(from)].filter((it) => it.length);
}

// Yields the ranges that can be left out: whole groups of four digits, without the first and the
// last. Only a few places of the body are looked at, and the surroundings of those that may be
// inside of base64.
function* contents(bytes) {
  let seen = 0; // strings before this place have been found
  for (let at = STEP; at < bytes.length; at += STEP) {
    if (!isDigits(bytes, at)) continue;
    const quote = bytes.subarray(seen, at).lastIndexOf(QUOTE);
    const start = seen + quote + 1;
    seen = at;
    if (quote < 0) continue; // the string is known already, or there is none
    const begin = beginOf(bytes, start);
    const end = begin && endOf(bytes, begin);
    if (!end) continue;
    seen = at = end;
    const cut = begin + HEAD;
    const to = cut + 4 * Math.floor((end - cut - 4) / 4);
    if (end - begin >= LEAST) yield [cut, to];
  }
}

function isDigits(bytes, at) {
  for (const end = Math.min(at + SAMPLE, bytes.length); at < end; at++) {
    if (IS_OTHER[bytes[at]]) return false;
  }
  return true;
}

// Returns where content begins in the string that begins at `start`; 0 without known content.
function beginOf(bytes, start) {
  const isUri = ascii.decode(bytes.subarray(start, start + 5)) === "data:";
  const comma = isUri ? bytes.subarray(start, start + URI_HEAD).indexOf(COMMA) : -1;
  if (isUri && comma < 0) return 0;
  const begin = start + comma + 1;
  return BEGINS.test(ascii.decode(bytes.subarray(begin, begin + 16))) ? begin : 0;
}

// Returns where base64 ends before a quote, or before the escape of one; 0 if it does not. The
// runtime's own decoder is several times faster than a loop in JavaScript. `atob` skips white
// space, so then its result is shorter.
function endOf(bytes, begin) {
  for (let at = begin; at < bytes.length; at += READ_AT_ONCE) {
    const text = ascii.decode(bytes.subarray(at, at + READ_AT_ONCE + AT_THE_END));
    const quote = text.indexOf('"');
    if (quote < 0) {
      if (!isBase64(text.slice(0, READ_AT_ONCE))) return 0;
    } else {
      const inside = text.slice(0, quote).replace(/\\+$/, "");
      const isWhole = isBase64(inside.slice(0, 4 * Math.floor((inside.length - 1) / 4)));
      return isWhole ? at + inside.length : 0;
    }
  }
  return 0;
}

function isBase64(text) {
  try {
    return atob(text).length === (text.length / 4) * 3;
  } catch {
    return false;
  }
}

function joined(parts) {
  const whole = new Uint8Array(parts.reduce((sum, it) => sum + it.length, 0));
  let at = 0;
  for (const it of parts) {
    whole.set(it, at);
    at += it.length;
  }
  return whole;
}
