// A socket.io server that broadcasts on request: POST /broadcast?messages=N&rate=N with the message as its body.
const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer((request, response) => {
  const url = new URL(request.url, "http://127.0.0.1");
  if (url.pathname !== "/broadcast") return response.end();
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    const message = JSON.parse(Buffer.concat(parts));
    await broadcast(message, Number(url.searchParams.get("messages")), Number(url.searchParams.get("rate")));
    response.end();
  });
});
const sockets = new Server(server, { transports: ["websocket"], perMessageDeflate: false, serveClient: false });

async function broadcast(message, messages, rate) {
  const started = performance.now();
  for (let number = 0; number < messages; number++) {
    const early = started + (number * 1000) / rate - performance.now();
    await new Promise((resolve) => (early > 0 ? setTimeout(resolve, early) : setImmediate(resolve)));
    sockets.emit("update", message);
  }
}

server.listen(Number(process.argv[2]), "127.0.0.1", 4096);
