// The fast path of streams: moves text from upstream events to client frames without parsing.
//
// Python turns one event into a frame in the general way, and then teaches the text around its
// string, in the event and in the frame: a template (template.py). Events of the same form are moved
// here. All others go to Python, one at a time while a template is known, because each may bring
// another template.
//
// Both ways give equal bytes. A string is moved only if it is written as Python would write it,
// which excludes escapes such as `\/` and `\u00e9`, and the line breaks that are escaped in frames.
// If a text contains a secret that no answer may contain, Python must clean it.
//
// This module knows nothing of streams, promises and Workers, and runs wherever JavaScript does.

const ODD = /["\\\x00-\x1f\x85\u2028\u2029]/;
// There is no quantifier inside of another, so a string that fails at its last character is tried
// only once.
const PLAIN = /^(?:[^"\\\x00-\x1f\x85\u2028\u2029]|\\["\\bfnrt])+$/;
const EVENT_END = /\n\r?\n/;
const REPORT_AT = 16384; // characters of events, which moved text keeps in memory until it is told

const isPlain = (body) => !ODD.test(body) || PLAIN.test(body);

export class Splice {
  template = null;
  moved = 0;
  text = "";
  held = 0;
  // Whether Python has got only whole events so far.
  between = false;

  // `python` has two functions, which return frames: `moved(count, text)` for moved events, and
  // `feed(text)` for all other text. Moved text must not contain any of `secrets`.
  constructor(python, secrets = []) {
    this.python = python;
    this.secrets = secrets;
  }

  // Takes a new template from Python, or nothing if there is none any more. It has a `middle` and a
  // number if events or frames are numbered.
  teach(before, middle, after, number, frameBefore, frameMiddle, frameAfter, frameNumber) {
    const known = { before, middle, after, number, frameBefore, frameMiddle, frameAfter, frameNumber };
    this.template = before === undefined ? null : known;
  }

  // Returns the frames for the next piece of the stream, which may be cut anywhere.
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

  // Tells Python what was moved. Python must know this before anything else is asked of it.
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

  // Returns the frames for the events of the known form at the beginning of `text`, and where those
  // events end.
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
    return [this.held > REPORT_AT ? frames + this.tell() : frames, at];
  }
}

function firstEvent(text) {
  const end = EVENT_END.exec(text);
  return end ? text.slice(0, end.index + end[0].length) : text;
}
