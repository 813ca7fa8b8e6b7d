// openai-node, job by job. The jobs are those of python_sdk.py.

import { load, serve } from "./node_jobs.mjs";
import { jobs as responses } from "./node_responses.mjs";

const { default: OpenAI } = await load();

const FILE = Buffer.from(Array.from({ length: 256 * 40 }, (_, index) => index % 256));

const jobs = {
  create: (client, request) => client.chat.completions.create(request),

  async chunks(client, request, chunks) {
    const stream = await client.chat.completions.create({ ...request, stream: true });
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
  },

  stream(client, request, chunks) {
    const stream = client.chat.completions.stream(request);
    stream.on("chunk", (chunk) => chunks.push(chunk));
    return stream.finalChatCompletion();
  },

  parse: (client, request) => client.chat.completions.parse(strict(request)),

  parse_stream: (client, request, chunks) => jobs.stream(client, strict(request), chunks),

  async converse(client, { how, request, returned }, chunks) {
    const { message } = (await jobs[how](client, request, chunks)).choices[0];
    const results = (message.tool_calls ?? []).map((call) => ({
      role: "tool",
      tool_call_id: call.id,
      content: returned[call.function.name],
    }));
    const turn = results.length ? results : [{ role: "user", content: "Go on." }];
    return jobs.create(client, { ...request, messages: [...request.messages, message, ...turn] });
  },

  async raw(client, request) {
    const { data, request_id } = await client.chat.completions.create(request).withResponse();
    return { request_id, completion: data };
  },

  async raw_stream(client, request, chunks) {
    const streamed = { ...request, stream: true };
    const { data, request_id } = await client.chat.completions.create(streamed).withResponse();
    for await (const chunk of data) chunks.push(chunk);
    return { request_id, chunks };
  },

  async models(client) {
    const models = [];
    for await (const model of client.models.list()) models.push(model);
    return models;
  },

  model: (client, id) => client.models.retrieve(id),

  embeddings: (client, request) => client.embeddings.create(request),

  completions: (client, request) => client.completions.create(request),

  async completion_chunks(client, request, chunks) {
    const stream = await client.completions.create({ ...request, stream: true });
    for await (const chunk of stream) chunks.push(chunk);
    return chunks;
  },

  moderations: (client, request) => client.moderations.create(request),

  image: (client, request) => client.images.generate(request),

  image_edit: async (client, request) =>
    client.images.edit({ image: await OpenAI.toFile(FILE, "a.png"), ...request }),

  async speech(client, request) {
    const answer = await client.audio.speech.create(request);
    return Buffer.from(await answer.arrayBuffer()).toString("base64");
  },

  // The file comes first, as in OpenAI's own examples.
  transcription: async (client, request) =>
    client.audio.transcriptions.create({ file: await OpenAI.toFile(FILE, "a.mp3"), ...request }),

  get: (client, path) => client.get(path),

  async leave(client, request) {
    const stream = await client.chat.completions.create({ ...request, stream: true });
    for await (const chunk of stream) {
      if (chunk.choices[0].delta.content) {
        stream.controller.abort();
        return chunk.choices[0].delta.content;
      }
    }
    throw new Error("the stream ended without text");
  },

  async leave_helper(client, request) {
    const stream = client.chat.completions.stream(request);
    const text = await new Promise((resolve) => stream.once("content", resolve));
    stream.abort();
    await stream.done().catch(() => {}); // it rejects with the abort that was asked for
    return text;
  },

  ...responses,
};

/** The request with every tool strict, which is what the SDK asks for to parse arguments. */
function strict(request) {
  const tools = request.tools?.map((tool) => ({
    ...tool,
    function: { ...tool.function, strict: true },
  }));
  return tools ? { ...request, tools } : request;
}

serve({
  jobs,
  makeClient: ({ baseURL, key, retries }) =>
    new OpenAI({ baseURL, apiKey: key, maxRetries: retries }),
  told: (error) => {
    const { name, message, status, code, type, param, requestID } = error;
    const kind = error instanceof OpenAI.OpenAIError ? error.constructor.name : name;
    return { kind, message, status, code, type, param, request_id: requestID };
  },
});
