// openai-node's `responses`, job by job, as python_responses.py has them.

import { z } from "zod";
import { load } from "./node_jobs.mjs";

const { zodResponsesFunction, zodTextFormat } = await load("/helpers/zod");
const Capital = z.object({ city: z.string(), inhabitants: z.number().int().nullable() });
const Weather = z.object({ city: z.string() });
const MOST_TURNS = 5;

const how = {
  respond: (client, request) => client.responses.create(request),

  async respond_events(client, request) {
    const stream = await client.responses.create({ ...request, stream: true });
    let response;
    for await (const event of stream) {
      if (event.type === "response.completed") response = event.response;
    }
    return response;
  },

  async respond_stream(client, request, chunks) {
    const stream = client.responses.stream(typed(request));
    for await (const event of stream) chunks.push(event);
    return stream.finalResponse();
  },

  respond_parse: (client, request) => client.responses.parse(typed(request)),
};

export const jobs = {
  respond: async (...job) => answer(await how.respond(...job)),

  async respond_events(client, request, chunks) {
    const stream = await client.responses.create({ ...request, stream: true });
    for await (const event of stream) chunks.push(event);
    return chunks;
  },

  respond_stream: async (...job) => answer(await how.respond_stream(...job)),

  respond_parse: async (...job) => answer(await how.respond_parse(...job)),

  async respond_loop(client, { how: first, request, returned }, chunks) {
    const items = [{ role: "user", content: request.input }];
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const response = await how[first](client, { ...request, input: items }, chunks);
      const calls = response.output.filter((item) => item.type === "function_call");
      if (!calls.length) return answer(response);
      items.push(...response.output);
      for (const { call_id, name } of calls) {
        items.push({ type: "function_call_output", call_id, output: returned[name] });
      }
    }
    throw new Error("the loop has no end");
  },

  async respond_compact(client, request) {
    const compaction = await client.responses.compact(request);
    const input = [...compaction.output, { role: "user", content: "Go on." }];
    const { text } = answer(await how.respond(client, { model: request.model, input }));
    return { compaction, text };
  },
};

/** The request with zod in the place of schemas, where it asks for parsing. */
function typed({ parsed, ...request }) {
  if (parsed) request.text = { format: zodTextFormat(Capital, "Capital") };
  if (request.tools) {
    const [{ name }] = request.tools;
    request.tools = [zodResponsesFunction({ name, parameters: Weather })];
  }
  return request;
}

/** What the program has got. The SDK computes no text for a response that an event holds. */
function answer(response) {
  const { output_text: text = textOf(response), output_parsed: parsed = null } = response;
  return { response, text, parsed };
}

function textOf({ output }) {
  const parts = output.flatMap((item) => (item.type === "message" ? item.content : []));
  return parts.map((part) => part.text).join("");
}
