// Servers and a client with Node.
//
//   peer.js tcp echo|discard|chargen
//   peer.js udp
//   peer.js ws
//   peer.js client HOST PORT MESSAGES
"use strict";

const dgram = require("node:dgram");
const net = require("node:net");

const handlers = {
  echo(socket) {
    socket.on("data", (bytes) => {
      if (!socket.write(bytes)) {
        socket.pause();
        socket.once("drain", () => socket.resume());
      }
    });
  },
  discard(socket) {
    socket.resume();
  },
  chargen(socket) {
    socket.resume();
    const generate = () => {
      while (!socket.destroyed && socket.write(characters)) {}
    };
    socket.on("drain", generate);
    generate();
  },
};

// RFC 864, as much of it as goes into one write of the others too.
const lines = [];
for (let line = 0; line < 9 * 95; line += 1) {
  for (let column = 0; column < 72; column += 1) lines.push(32 + ((line + column) % 95));
  lines.push(13, 10);
}
const characters = Buffer.from(lines);

function serve(mode) {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", () => socket.destroy());
    handlers[mode](socket);
  });
  server.listen({ host: "127.0.0.1", port: 0, backlog: 4096 }, () => {
    console.log(`listening on 127.0.0.1:${server.address().port}`);
  });
}

function serveDatagrams() {
  const socket = dgram.createSocket("udp4");
  socket.on("message", (bytes, peer) => socket.send(bytes, peer.port, peer.address));
  socket.bind(0, "127.0.0.1", () => console.log(`listening on 127.0.0.1:${socket.address().port}`));
}

// The package ws, which Debian calls node-ws. Its addons are not there, as they are not for most who install it.
function serveWebSockets() {
  const { WebSocketServer } = require("ws");
  const server = new WebSocketServer({ host: "127.0.0.1", port: 0, backlog: 4096, perMessageDeflate: false });
  server.on("connection", (socket) => {
    socket.on("error", () => socket.terminate());
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  server.on("listening", () => console.log(`listening on 127.0.0.1:${server.address().port}`));
}

function play(host, port, messages) {
  const message = Buffer.alloc(64, 0x2a);
  let left = Math.floor(messages / 10);
  let received = 0;
  let start = 0n;
  const socket = net.connect({ host, port, noDelay: true }, () => socket.write(message));
  socket.on("data", (bytes) => {
    received += bytes.length;
    if (received < message.length) return;
    received = 0;
    left -= 1;
    if (left > 0) {
      socket.write(message);
    } else if (start === 0n) {
      console.log("ready");
      process.stdin.once("data", () => {
        left = messages;
        start = process.hrtime.bigint();
        socket.write(message);
      });
    } else {
      console.log(`done ${Number(process.hrtime.bigint() - start) / 1e9}`);
      process.stdin.on("end", () => process.exit(0));
    }
  });
}

const [role, ...words] = process.argv.slice(2);
if (role === "tcp" && words[0] in handlers) serve(words[0]);
else if (role === "udp") serveDatagrams();
else if (role === "ws") serveWebSockets();
else if (role === "client") play(words[0], Number(words[1]), Number(words[2]));
else {
  console.error("peer.js: see the head of its source");
  process.exit(2);
}
