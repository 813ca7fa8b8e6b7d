// How much memory the bodies of all requests, and those of all answers, may hold at the same time.
//
// An isolate has 128 MB for everything. Python has 45 MB of them, and keeps up to 45 more once it
// has rewritten a large body. The rest is shared out here. Before there was a limit, four requests
// of 5 MB that came together took an isolate to 150 MB, and twelve to 290 (measured): the runtime
// would have ended it, and every other request with it.
//
// A body that does not fit waits until others give back what they hold, and is refused if that takes
// too long. Any body fits where nothing else is held. A large one leaves room for small ones.
//
// This module uses nothing of Workers, and runs wherever JavaScript does.

const LOOK_MS = 20;
const WAIT_MS = 12000;
// After that a share is not counted any more: its request was cut off without a word.
const LONGEST_MS = 1800000;
const LARGE = 4e6;

export const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

class Room {
  shares = new Set();

  // In bytes. `left` is what large bodies leave to others.
  constructor(size, left) {
    this.size = size;
    this.left = left;
  }

  fits(share, more) {
    let others = 0;
    for (const it of this.shares) if (it !== share) others += it.bytes;
    const bytes = share.bytes + more;
    return !others || others + bytes <= this.size - (bytes > LARGE ? this.left : 0);
  }

  forget(since) {
    for (const it of this.shares) if (it.since < since) it.end();
  }
}

// Three bodies of 5 MB do not fit, and one of 32 MB with a picture does.
export const forRequests = () => new Share(REQUESTS);
export const forAnswers = () => new Share(ANSWERS);

const REQUESTS = new Room(40e6, 4e6);
const ANSWERS = new Room(14e6, 1e6);

// Python reads a body and keeps it until no further call can need it, and writes another.
const READ_BY_PYTHON = 3.6;
// An answer of its length goes to the client.
const WRITTEN_ANEW = 2;

// Returns the bytes that a request of `size` needs until it is answered. Of one over `most`, if that
// is given, Python does not read the greatest part.
export const neededBy = (size, most) => (most && size > most ? size : size * READ_BY_PYTHON);
export const neededByAnswer = (size) => size * WRITTEN_ANEW;

// What one request holds.
class Share {
  bytes = 0;
  over = false;
  lasts = false;
  since = Date.now();

  constructor(room) {
    this.room = room;
  }

  // Waits until there is room for so many bytes more. Returns whether they are held.
  async grow(more) {
    const { room } = this;
    for (const last = Date.now() + WAIT_MS; !room.fits(this, more); await pause(LOOK_MS)) {
      room.forget(Date.now() - LONGEST_MS);
      if (this.over || Date.now() > last) return false;
    }
    if (!this.over) this.set(this.bytes + more);
    return !this.over;
  }

  // Gives back all but `bytes`, unless all of it is held to the end.
  shrink(bytes) {
    if (!this.lasts) this.set(Math.min(this.bytes, bytes));
  }

  end() {
    this.over = true;
    this.set(0);
  }

  set(bytes) {
    this.bytes = bytes;
    this.room.shares[bytes ? "add" : "delete"](this);
  }
}
