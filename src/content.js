// The content of images, files and speech within a request: megabytes of base64 that nobody in this
// Worker has to read. They stay where they came in, as views of the body's bytes. Python gets the
// body with a word in place of each, and where that stands in what goes out the bytes are put back.
//
// The word is made of a mark that is drawn for each request, so that no client can write one. It is
// base64 itself, follows the content's first bytes, which say what it is, and tells how many
// characters it stands for (content.py). What is left out has no `"` and no `\` in it, so a string
// around it stays one, however often it is quoted.
//
// It knows nothing of Workers, and runs wherever JavaScript does.

const LEAST = 16384; // characters of base64: what is shorter is left where it is
const STEP = LEAST / 4;
const HEAD = 4096; // characters that stay in front of the word
const URI_HEAD = 256;
const READ_AT_ONCE = 65536;
const QUOTE = 34, COMMA = 44, BACKSLASH = 92;

// As base64: JPEG, PNG, GIF, RIFF (WebP, WAV), PDF, ID3 and bare MP3, Ogg, FLAC, MP4, ZIP (Office).
const BEGINS =
  /^(\/9j\/|iVBORw|R0lGOD|UklGR|JVBERi|SUQz|\/\/[s-vM-P]|T2dnU|ZkxhQ|AAAA.GZ0eX|UEsDB)/;
const latin = new TextDecoder("latin1");
const encoder = new TextEncoder();

// `bytes` of JSON with words of `mark`, which is 32 hex digits, in place of long content; and the
// views that the words stand for, in order. Without any, `bytes` is given back itself.
export function takeOut(bytes, mark) {
  const views = [];
  const left = [];
  let from = 0;
  for (const [start, end] of strings(bytes)) {
    const [cut, to] = middle(bytes, start, end);
    if (cut >= to || views.length > 9999) continue;
    const number = String(views.length).padStart(4, "0");
    const length = String(to - cut).padStart(8, "0");
    left.push(bytes.subarray(from, cut), encoder.encode(`xcut${mark}${number}${length}`));
    views.push(bytes.subarray(cut, to));
    from = to;
  }
  return views.length ? { body: joined([...left, bytes.subarray(from)]), views } : { body: bytes, views };
}

// The parts that `body` is made of with `views` in the places of their words.
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

// Where the long strings are, without their quotes. An escaped quote divides one, as if it were two.
function* strings(bytes) {
  for (let at = STEP; at < bytes.length; ) {
    const start = bytes.lastIndexOf(QUOTE, at) + 1;
    const end = bytes.indexOf(QUOTE, start);
    if (end < 0) return;
    if (end - start >= LEAST) yield [start, end];
    at = Math.max(at, end - STEP) + STEP;
  }
}

// What can be left out of the string: whole groups of four digits, neither the first nor the last.
function middle(bytes, start, end) {
  const nothing = [0, 0];
  while (bytes[end - 1] === BACKSLASH) end--;
  const isUri = latin.decode(bytes.subarray(start, start + 5)) === "data:";
  const comma = isUri ? bytes.indexOf(COMMA, start) : start - 1;
  if (comma < 0 || comma > start + URI_HEAD) return nothing;
  const begin = comma + 1;
  if (end - begin < LEAST || !BEGINS.test(latin.decode(bytes.subarray(begin, begin + 16)))) {
    return nothing;
  }
  const cut = begin + HEAD;
  const to = cut + 4 * Math.floor((end - cut - 4) / 4);
  return isBase64(bytes, begin, to) ? [cut, to] : nothing;
}

// `to - from` is a multiple of four. The runtime's own decoder reads some times faster than a loop
// in JavaScript; it passes over white space, which then is missing in what it gives.
function isBase64(bytes, from, to) {
  try {
    for (let at = from; at < to; at += READ_AT_ONCE) {
      const text = latin.decode(bytes.subarray(at, Math.min(at + READ_AT_ONCE, to)));
      if (atob(text).length !== (text.length / 4) * 3) return false;
    }
    return true;
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
