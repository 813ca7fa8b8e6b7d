// Reads a job a line from standard input, and writes each result as a line.
// What the jobs are is in sdk.py; nothing is decided here.

import { createInterface } from "node:readline";

/**
 * `jobs` take a client, a request, and a list for what came before an error. `makeClient` makes
 * the client of `{ baseURL, key, retries }`, `told` the fields of an error.
 */
export function serve({ jobs, makeClient, told }) {
  const [baseURL] = process.argv.slice(2);

  async function answer({ id, job, request, key, retries }) {
    const client = makeClient({ baseURL, key, retries });
    const chunks = [];
    const outcome = { id };
    try {
      outcome.result = await jobs[job](client, request, chunks);
    } catch (error) {
      outcome.raised = { ...told(error), chunks };
    }
    process.stdout.write(JSON.stringify(outcome) + "\n");
  }

  createInterface({ input: process.stdin }).on("line", (line) => answer(JSON.parse(line)));
}
