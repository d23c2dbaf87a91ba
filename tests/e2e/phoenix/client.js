// The official Phoenix client on one topic: tells on stdout, a JSON object a line, what happens; obeys words on stdin.
import readline from "node:readline";
import { Socket } from "phoenix";
import WebSocket from "ws";

const [url, topic] = process.argv.slice(2);
const tell = (what, detail = {}) => console.log(JSON.stringify({ what, ...detail }));

const socket = new Socket(`${url}/sync/socket`, {
  transport: WebSocket,
  params: { token: process.env.TOKEN },
  heartbeatIntervalMs: 100,
  reconnectAfterMs: () => 50,
  rejoinAfterMs: () => 50,
});
socket.onOpen(() => tell("open"));
socket.onMessage((message) => {
  if (message.topic === "phoenix") tell("heartbeat", message.payload);
});

let cursor = 0;
const channel = socket.channel("sync:v1", {});
channel.on("sync:update_batch", ({ updates }) => {
  for (const update of updates) {
    cursor = update.watermark;
    tell("update", update);
  }
});
channel.onError(() => tell("channel error"));
channel.onClose(() => tell("channel closed"));

const push = (event, payload) =>
  channel
    .push(event, payload)
    .receive("ok", (response) => tell(event, response))
    .receive("error", (response) => tell("refused", response));

channel
  .join()
  .receive("ok", (response) => {
    tell("joined", response);
    push("sync:subscribe", { topics: [topic], resume_after: { [topic]: cursor } });
  })
  .receive("error", (response) => tell("refused", response));

const obey = {
  beat: () => push("sync:heartbeat", {}),
  drop: () => socket.conn.terminate(),
  leave: () => channel.leave(),
  end: () => socket.disconnect(() => process.exit(0)),
};
socket.connect();
for await (const word of readline.createInterface({ input: process.stdin })) obey[word]();
