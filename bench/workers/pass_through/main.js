// The floor of the runtime: one fetch, the body passed through untouched.

export default {
  async fetch(request, env) {
    const asked = await request.text();
    const path = asked.includes('"model":"claude-') ? "/messages" : "/chat/completions";
    return fetch(env.UPSTREAM + path, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: asked,
    });
  },
};
