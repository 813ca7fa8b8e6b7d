// What a good JavaScript engineer would write: Chat Completions for upstreams of both dialects,
// every event parsed and written anew in one TransformStream, one enqueue for each piece of data.
//
// It does the work that is measured and keeps the same contract for it: keys are checked, ids, model
// and fingerprint are its own, usage goes with the finish reason, tool calls are translated,
// failures are told in the stream. It has none of the gateway's other duties (validation,
// time-outs, keep-alive, retries, logs), so what it costs is what the re-framing itself costs.

const encoder = new TextEncoder();
const REASONS = { max_tokens: "length", tool_use: "tool_calls", refusal: "content_filter" };
const HEADERS = { "content-type": "text/event-stream; charset=utf-8", "cache-control": "no-cache" };

class Frames {
  constructor(model) {
    this.head = {
      id: `chatcmpl-${crypto.randomUUID().replaceAll("-", "")}`,
      object: "chat.completion.chunk",
      created: Math.floor(Date.now() / 1000),
      model,
      system_fingerprint: "fp_0123456789",
    };
  }

  delta(delta, finish_reason = null, more = undefined) {
    const choices = [{ index: 0, delta, logprobs: null, finish_reason }];
    return `data: ${JSON.stringify({ ...this.head, choices, ...more })}\n\n`;
  }
}

class AnthropicDecoder {
  constructor(frames) {
    this.frames = frames;
    this.usage = {};
    this.reason = null;
    this.calls = new Map();
    this.finished = false;
  }

  feed(data) {
    const event = JSON.parse(data);
    switch (event.type) {
      case "message_start":
        Object.assign(this.usage, event.message.usage);
        return this.frames.delta({ role: "assistant", content: "" });
      case "content_block_start":
        return this.begin(event);
      case "content_block_delta":
        return this.delta(event);
      case "message_delta":
        this.reason = event.delta.stop_reason ?? this.reason;
        Object.assign(this.usage, event.usage);
        return "";
      case "message_stop":
        return this.end();
      case "error":
        this.finished = true;
        return `data: ${JSON.stringify({ error: event.error })}\n\ndata: [DONE]\n\n`;
      default:
        return "";
    }
  }

  begin({ index, content_block: block }) {
    if (block.type === "text" && block.text) return this.frames.delta({ content: block.text });
    if (block.type !== "tool_use") return "";
    const call = this.calls.size;
    this.calls.set(index, call);
    const called = { name: block.name, arguments: "" };
    const tool_calls = [{ index: call, id: block.id, type: "function", function: called }];
    return this.frames.delta({ tool_calls });
  }

  delta({ index, delta }) {
    switch (delta.type) {
      case "text_delta":
        return this.frames.delta({ content: delta.text });
      case "thinking_delta":
        return this.frames.delta({ reasoning_content: delta.thinking });
      case "input_json_delta": {
        const more = { index: this.calls.get(index), function: { arguments: delta.partial_json } };
        return this.frames.delta({ tool_calls: [more] });
      }
      default:
        return "";
    }
  }

  end() {
    this.finished = true;
    const prompt_tokens = this.usage.input_tokens ?? 0;
    const completion_tokens = this.usage.output_tokens ?? 0;
    const total_tokens = prompt_tokens + completion_tokens;
    const usage = { prompt_tokens, completion_tokens, total_tokens };
    return this.frames.delta({}, REASONS[this.reason] ?? "stop", { usage }) + "data: [DONE]\n\n";
  }
}

class OpenAIDecoder {
  constructor(frames) {
    this.frames = frames;
    this.usage = null;
    this.reason = null;
    this.begun = false;
    this.finished = false;
  }

  feed(data) {
    if (data === "[DONE]") return this.end();
    const chunk = JSON.parse(data);
    if (chunk.error) {
      this.finished = true;
      return `data: ${JSON.stringify({ error: chunk.error })}\n\ndata: [DONE]\n\n`;
    }
    this.usage = chunk.usage ?? this.usage;
    const choice = chunk.choices[0];
    if (!choice) return "";
    this.reason = choice.finish_reason ?? this.reason;
    const { role, refusal, content, ...rest } = choice.delta;
    const delta = content ? { ...rest, content } : rest;
    const first = this.begun ? "" : this.frames.delta({ role: "assistant", content: "" });
    this.begun = true;
    return first + (Object.keys(delta).length ? this.frames.delta(delta) : "");
  }

  end() {
    this.finished = true;
    const more = { usage: this.usage };
    return this.frames.delta({}, this.reason ?? "stop", more) + "data: [DONE]\n\n";
  }
}

function reframer(decoder) {
  const utf8 = new TextDecoder();
  let held = "";
  let data = "";
  const take = (text, controller) => {
    held += text;
    let out = "";
    let at = 0;
    for (let end; (end = held.indexOf("\n", at)) >= 0; at = end + 1) {
      const line = held.slice(at, held[end - 1] === "\r" ? end - 1 : end);
      if (line.startsWith("data:")) data += (data && "\n") + line.slice(line[5] === " " ? 6 : 5);
      else if (line === "" && data) {
        if (!decoder.finished) out += decoder.feed(data);
        data = "";
      }
    }
    held = held.slice(at);
    if (out) controller.enqueue(encoder.encode(out));
  };
  return new TransformStream({
    transform: (piece, controller) => take(utf8.decode(piece, { stream: true }), controller),
    flush(controller) {
      take(utf8.decode() + "\n\n", controller);
      if (decoder.finished) return;
      const error = { message: "The upstream's stream was cut off.", type: "api_error" };
      controller.enqueue(encoder.encode(`data: ${JSON.stringify({ error })}\n\ndata: [DONE]\n\n`));
    },
  });
}

const asAnthropics = (part) => {
  if (part.type !== "image_url") return part;
  const [, media_type, data] = /^data:([^;]*);base64,(.*)$/.exec(part.image_url.url);
  return { type: "image", source: { type: "base64", media_type, data } };
};

function toAnthropic({ messages, stream_options, max_tokens, ...rest }) {
  const system = messages.filter(({ role }) => role === "system").map(({ content }) => content);
  const tools = rest.tools?.map(({ function: tool }) => ({
    name: tool.name, description: tool.description, input_schema: tool.parameters,
  }));
  return {
    ...rest,
    max_tokens: max_tokens ?? 4096,
    ...(tools && { tools }),
    ...(system.length && { system: system.join("\n\n") }),
    messages: messages
      .filter(({ role }) => role !== "system")
      .map(({ content, ...message }) => ({
        ...message, content: Array.isArray(content) ? content.map(asAnthropics) : content,
      })),
  };
}

function fromAnthropic(message, { head }) {
  const text = message.content.filter(({ type }) => type === "text").map(({ text }) => text);
  const calls = message.content.filter(({ type }) => type === "tool_use").map((use) => ({
    id: use.id, type: "function",
    function: { name: use.name, arguments: JSON.stringify(use.input) },
  }));
  const { input_tokens: prompt_tokens, output_tokens: completion_tokens } = message.usage;
  const content = { role: "assistant", content: text.join(""), refusal: null };
  return {
    ...head,
    object: "chat.completion",
    choices: [{
      index: 0, message: calls.length ? { ...content, tool_calls: calls } : content,
      logprobs: null, finish_reason: REASONS[message.stop_reason] ?? "stop",
    }],
    usage: {
      prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens,
    },
  };
}

export default {
  async fetch(request, env) {
    if (request.headers.get("authorization") !== `Bearer ${env.API_KEYS}`) {
      return Response.json({ error: { message: "Wrong key." } }, { status: 401 });
    }
    const asked = await request.json();
    const anthropic = asked.model.startsWith("claude-");
    const sent = anthropic
      ? toAnthropic(asked)
      : { ...asked, ...(asked.stream && { stream_options: { include_usage: true } }) };
    const headers = anthropic
      ? { "x-api-key": "sk-upstream", "anthropic-version": "2023-06-01" }
      : { authorization: "Bearer sk-upstream" };
    const answer = await fetch(env.UPSTREAM + (anthropic ? "/messages" : "/chat/completions"), {
      method: "POST",
      headers: { ...headers, "content-type": "application/json" },
      body: JSON.stringify(sent),
      signal: request.signal,
    });
    if (answer.status !== 200) return new Response(await answer.text(), { status: answer.status });
    const frames = new Frames(asked.model);
    if (asked.stream) {
      const decoder = new (anthropic ? AnthropicDecoder : OpenAIDecoder)(frames);
      return new Response(answer.body.pipeThrough(reframer(decoder)), { headers: HEADERS });
    }
    const whole = await answer.json();
    return Response.json(
      anthropic
        ? fromAnthropic(whole, frames)
        : { ...whole, ...frames.head, object: "chat.completion" },
    );
  },
};
