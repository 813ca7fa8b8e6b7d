// anthropic-sdk-typescript, job by job. The jobs are those of python_messages.py.

import { load, serve } from "./node_jobs.mjs";

const { default: Anthropic } = await load();

const MOST_TURNS = 5;

const jobs = {
  create: (client, request) => client.messages.create(request),

  async events(client, request, events) {
    const stream = await client.messages.create({ ...request, stream: true });
    for await (const event of stream) events.push(event);
    return events;
  },

  async stream(client, request, events) {
    const stream = client.messages.stream(request);
    for await (const event of stream) events.push(event.type);
    return stream.finalMessage();
  },

  async loop(client, { how, request, returned }, events) {
    const messages = [...request.messages];
    for (let turn = 0; turn < MOST_TURNS; turn++) {
      const message = await jobs[how](client, { ...request, messages }, events);
      const calls = message.content.filter((block) => block.type === "tool_use");
      if (!calls.length) return message;
      const results = calls.map(({ id, name }) => ({
        type: "tool_result",
        tool_use_id: id,
        content: returned[name],
      }));
      messages.push({ role: "assistant", content: message.content });
      messages.push({ role: "user", content: results });
    }
    throw new Error("the loop has no end");
  },

  request_id: async (client, request) => (await client.messages.create(request))._request_id,

  count: (client, request) => client.messages.countTokens(request),

  async models(client, request) {
    const page = await client.models.list(request);
    const models = [];
    let pages = 0;
    for await (const each of page.iterPages()) {
      pages++;
      models.push(...each.data);
    }
    return { pages, models };
  },

  model: (client, id) => client.models.retrieve(id),

  async leave(client, request) {
    const stream = await client.messages.create({ ...request, stream: true });
    for await (const event of stream) {
      if (event.type === "content_block_delta") {
        stream.controller.abort();
        return event.delta.text;
      }
    }
    throw new Error("the stream ended without text");
  },

  async leave_helper(client, request) {
    const stream = client.messages.stream(request);
    const text = await new Promise((resolve) => stream.once("text", resolve));
    stream.abort();
    await stream.done().catch(() => {}); // it rejects with the abort that was asked for
    return text;
  },
};

serve({
  jobs,
  makeClient: ({ baseURL, key, retries }) =>
    new Anthropic({ baseURL, apiKey: key, maxRetries: retries }),
  told: (error) => {
    const { constructor, message, status, type, requestID } = error;
    return { kind: constructor.name, message, status, type, request_id: requestID };
  },
});
