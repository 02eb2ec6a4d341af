import type { Context } from "hono";
import { html } from "hono/html";
import { VERSION } from "../../version.ts";

/** GET /: what this is, for people. */
export function page(c: Context): Response | Promise<Response> {
  const { origin } = new URL(c.req.url);
  return c.html(html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Edgeslim</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:3rem auto;padding:0 1rem}pre{background:#f4f4f4;padding:1rem;overflow:auto}</style>
</head>
<body>
<h1>Edgeslim ${VERSION}</h1>
<p>Compresses ONNX and safetensors models while they stream through, and runs ONNX models. Nothing is kept unless you ask for it.</p>
<pre>curl -T model.onnx -X POST '${origin}/v1/compress?quantize=w8' -o model-w8.onnx</pre>
<p>Tell what a model is, and what each scheme would give:</p>
<pre>curl -T model.onnx -X POST '${origin}/v1/inspect'</pre>
<p>From a browser, which reads only after it has sent all, name an output in the store and fetch it from there:</p>
<pre>await fetch("/v1/compress?quantize=w8&amp;output=NAME", { method: "POST", body: file });</pre>
<p>A stored model runs by the Open Inference Protocol:</p>
<pre>curl -T model.onnx '${origin}/v1/models/NAME/model.onnx'
curl '${origin}/v2/models/NAME'
curl --json '{"inputs": […]}' '${origin}/v2/models/NAME/infer'</pre>
<p>All requests: <a href="/openapi.json">openapi.json</a></p>
</body>
</html>`);
}
