// A minimal Runtime API client over one kept connection. It does less than the managed Node runtime's own client, which favours Node.
import http from "node:http";
import { handler } from "./handler.mjs";

const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");
const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });

/** Resolves to the response's request id and its body. */
function call(method, path, body) {
  const headers = body ? { "content-length": Buffer.byteLength(body) } : {};
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, agent, method, headers, path: `/2018-06-01/runtime/${path}` }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => resolve([response.headers["lambda-runtime-aws-request-id"], Buffer.concat(chunks).toString()]));
    });
    request.on("error", reject);
    request.end(body);
  });
}

for (;;) {
  const [id, event] = await call("GET", "invocation/next");
  try {
    await call("POST", `invocation/${id}/response`, JSON.stringify(await handler(JSON.parse(event))));
  } catch (error) {
    await call("POST", `invocation/${id}/error`, JSON.stringify({ errorType: error.name, errorMessage: error.message }));
  }
}
