// Reads a job a line from standard input, and writes each result as a line.
// What the jobs are is in sdk.py; nothing is decided here.

import { createInterface } from "node:readline";

const [baseURL, sdk] = process.argv.slice(2);

/** A module of the SDK, in the version whose package the test has named. */
export const load = (path = "") => import(sdk + path);

const version = async () => (await load("/version")).VERSION;

/**
 * `jobs` take a client, a request, and a list for what came before an error. `makeClient` makes
 * the client of `{ baseURL, key, retries }`, `told` the fields of an error.
 */
export function serve({ jobs, makeClient, told }) {
  async function answer({ id, job, request, key, retries }) {
    const client = makeClient({ baseURL, key, retries });
    const chunks = [];
    const outcome = { id };
    try {
      outcome.result = await { version, ...jobs }[job](client, request, chunks);
    } catch (error) {
      outcome.raised = { ...told(error), chunks };
    }
    process.stdout.write(JSON.stringify(outcome) + "\n");
  }

  createInterface({ input: process.stdin }).on("line", (line) => answer(JSON.parse(line)));
}
