"""Bundles Portkey's gateway for workerd from its npm package.

The package is built for Node and its repository also for workerd; both make the same Hono
application. What differs is who calls it, so here the call that would start Node's server hands the
application to a Worker instead, and the spinner that start-up shows gets no timers.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from tools import paths

_GATEWAY = "node_modules/@portkey-ai/gateway/build/start-server.js"
_ESBUILD = paths.NODE_MODULES / "esbuild" / "bin" / "esbuild"

_MAIN = """\
import "./gateway.js";

export default {
  fetch: (request, env, context) => globalThis.gateway(request, env, context),
};
"""
_SERVER = """\
export function serve({ fetch }) {
  globalThis.gateway = fetch;
  return {};
}
"""
_SOCKETS = """\
const refuse = () => (context) => context.notFound();
export const createNodeWebSocket = () => ({ injectWebSocket() {}, upgradeWebSocket: refuse });
export default class {}
"""
_BEFORE = """\
import { createRequire } from "node:module";
const require = createRequire("/");
let starting = true;
const setTimeout = (run, ...rest) => starting ? void run() : globalThis.setTimeout(run, ...rest);
const setInterval = (...rest) => starting ? 0 : globalThis.setInterval(...rest);
const clearInterval = (id) => starting ? undefined : globalThis.clearInterval(id);
"""
_AFTER = "starting = false;"


def bundle(folder: Path) -> Path:
    """Makes a Worker of the package installed in `folder` and returns its main module."""
    parts, worker = folder / "parts", folder / "worker"
    for made in (parts, worker):
        made.mkdir(exist_ok=True)
    (parts / "server.mjs").write_text(_SERVER)
    (parts / "sockets.mjs").write_text(_SOCKETS)
    (worker / "main.js").write_text(_MAIN)
    subprocess.run(
        [
            *(str(paths.NODE), str(_ESBUILD), str(folder / _GATEWAY), "--bundle", "--format=esm"),
            *("--platform=node", "--conditions=workerd,worker,browser", "--target=es2022"),
            f"--outfile={worker / 'gateway.js'}",
            f"--alias:@hono/node-server={parts / 'server.mjs'}",
            *(
                f"--alias:{name}={parts / 'sockets.mjs'}"
                for name in ("@hono/node-ws", "ws", "ioredis")
            ),
            '--define:process.env.NODE_ENV="production"',
            *(f"--banner:js={_BEFORE}", f"--footer:js={_AFTER}", "--log-level=error"),
        ],
        check=True,
    )
    return worker / "main.js"
