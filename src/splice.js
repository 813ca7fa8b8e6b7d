// The fast path of streams: text moved from upstream event to client frame without parsing.
//
// Python takes one event the general way and teaches what surrounded its string, on the way in and
// on the way out (template.py). Events of the same form are moved here. All others go to Python,
// one by one while a template is known, for each may teach another.
//
// Both ways give equal bytes: a string is moved only when it is spelled as Python would spell it,
// which excludes escapes like `\/` and `\u00e9` and the line breaks that frames escape. A text that
// holds one of the secrets that may stand in no answer is Python's to clean.
//
// It knows nothing of streams, promises and Workers, and runs wherever JavaScript does.

const ODD = /["\\\x00-\x1f\x85\u2028\u2029]/;
// No quantifier within another: a string that fails at its last character is tried once.
const PLAIN = /^(?:[^"\\\x00-\x1f\x85\u2028\u2029]|\\["\\bfnrt])+$/;
const EVENT_END = /\n\r?\n/;
const TOLD_AT = 16384; // characters of events: what is moved of them holds on to them

const isPlain = (body) => !ODD.test(body) || PLAIN.test(body);

export class Splice {
  template = null;
  moved = 0;
  text = "";
  held = 0;
  // Whether all that Python was given were whole events.
  between = false;

  // `python` takes what is moved, as `moved(count, text)`, and the rest, as `feed(text)`. Both give
  // frames. Their text has to be free of `secrets`.
  constructor(python, secrets = []) {
    this.python = python;
    this.secrets = secrets;
  }

  // What Python has learnt; nothing where it knows no form any more. A `middle` and a number are
  // there where numbers count the events, or the frames.
  teach(before, middle, after, number, frameBefore, frameMiddle, frameAfter, frameNumber) {
    const known = { before, middle, after, number, frameBefore, frameMiddle, frameAfter, frameNumber };
    this.template = before === undefined ? null : known;
  }

  // The frames of the next piece of the stream, cut anywhere.
  feed(text) {
    if (this.secrets.some((it) => text.includes(it))) return this.give(text);
    let frames = "";
    while (text) {
      if (this.template && this.between) {
        const [moved, end] = this.move(text);
        frames += moved;
        if (end === text.length) break;
        text = text.slice(end);
      }
      const piece = this.template ? firstEvent(text) : text;
      frames += this.give(piece);
      text = text.slice(piece.length);
    }
    return frames;
  }

  // Tells Python what was moved, which it has to know before anything else is asked of it.
  tell() {
    if (!this.moved) return "";
    const { moved, text } = this;
    this.moved = this.held = 0;
    this.text = "";
    return this.python.moved(moved, text);
  }

  give(text) {
    const frames = this.tell() + this.python.feed(text);
    if (text) this.between = text.endsWith("\n\n") || text.endsWith("\n\r\n");
    return frames;
  }

  // The frames of the events of the known form that `text` begins with, and where those end.
  move(text) {
    const it = this.template;
    let frames = "";
    let at = 0;
    for (;;) {
      const before = it.middle === undefined ? it.before : it.before + it.number + it.middle;
      if (!text.startsWith(before, at)) break;
      const start = at + before.length;
      const end = text.indexOf(it.after, start);
      if (end <= start) break;
      const body = text.slice(start, end);
      if (!isPlain(body)) break;
      const middle = it.frameMiddle === undefined ? "" : it.frameNumber++ + it.frameMiddle;
      frames += it.frameBefore + middle + body + it.frameAfter;
      it.number++;
      this.text += body;
      this.moved++;
      at = end + it.after.length;
    }
    this.held += at;
    return [this.held > TOLD_AT ? frames + this.tell() : frames, at];
  }
}

function firstEvent(text) {
  const end = EVENT_END.exec(text);
  return end ? text.slice(0, end.index + end[0].length) : text;
}
