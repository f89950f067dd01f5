// Serves the page beside this file, and a net for it.
//
//   npm install --ignore-scripts --prefix examples/use_a_net/browser
//   node examples/use_a_net/browser/serve.mjs runs/quickstart/nets/0.751ms [PORT]
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = fileURLToPath(new URL('.', import.meta.url));
const [net, port = '8000'] = process.argv.slice(2);
const runtime = (name) => join(here, 'node_modules/onnxruntime-web/dist', name);
const files = {
  '/': [join(here, 'index.html'), 'text/html; charset=utf-8'],
  '/page.mjs': [join(here, 'page.mjs'), 'text/javascript'],
  '/net.mjs': [join(here, 'net.mjs'), 'text/javascript'],
  '/shares.mjs': [join(here, '../shares.mjs'), 'text/javascript'],
  '/model.onnx': [join(net, 'model.onnx'), 'application/octet-stream'],
};
for (const name of ['ort.wasm.min.mjs', 'ort-wasm-simd-threaded.mjs']) {
  files[`/runtime/${name}`] = [runtime(name), 'text/javascript'];
}
const wasm = 'ort-wasm-simd-threaded.wasm';
files[`/runtime/${wasm}`] = [runtime(wasm), 'application/wasm'];

const server = createServer(async (request, response) => {
  const [path, type] = files[new URL(request.url, 'http://localhost').pathname] ?? [];
  const body = path && (await readFile(path).catch(() => undefined));
  response.writeHead(body ? 200 : 404, { 'content-type': body ? type : 'text/plain' });
  response.end(body ?? 'not found');
});
server.listen(Number(port), 'localhost', () => {
  console.log(`http://localhost:${server.address().port}/`);
});
