// Slow clients of a server, as a process of their own. Node runs this file as it stands: nothing here may need a build.
import { connect, type Socket } from 'node:net';

/** Pause between two steps of each client, in ms. */
const stepMs = 100;

type Act = (socket: Socket, step: number) => void;

const list = 'GET /products?limit=1000 HTTP/1.1\r\nHost: bench\r\n\r\n';
const post =
  'POST /orders HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: 50000\r\n\r\n{"productId": 1,';

/** Sends the head of a request one byte at a time. */
const slowHead: Act = (socket, step) => {
  const text = `GET /products/1 HTTP/1.1\r\nHost: bench\r\nX-Slow: ${'x'.repeat(10_000)}`;
  socket.write(text[step % text.length] ?? '');
};

/** Sends a body some bytes at a time, and never all of it. */
const slowBody: Act = (socket, step) => {
  socket.write(step === 0 ? post : ' '.repeat(20));
};

/** Asks for about 150 KB, and reads a kilobyte at a time. */
const slowReader: Act = (socket, step) => {
  if (step === 0) socket.write(list);
  socket.read(1_024);
};

const acts = [slowHead, slowBody, slowReader];

/** Connects again when the server has cut it, as it does with slow ones. Calls `begun` when its answer begins, if it reads one. */
function slowClient(port: number, act: Act, begun: () => void): void {
  const socket = connect({ port, host: '127.0.0.1' });
  let timer: NodeJS.Timeout | undefined;
  let step = 0;
  socket.on('error', () => {});
  // With a listener and no reading, what arrives waits in the socket.
  socket.on('readable', () => {});
  socket.once('readable', begun);
  socket.once('connect', () => {
    timer = setInterval(() => act(socket, step++), stepMs);
  });
  socket.once('close', () => {
    clearInterval(timer);
    setTimeout(() => slowClient(port, act, () => {}), stepMs);
  });
}

const [port = '', count = ''] = process.argv.slice(2);
const clients = Array.from({ length: Number(count) }, (_, at) => acts[at % acts.length] ?? slowHead);
let readersToBegin = clients.filter(act => act === slowReader).length;

/** From here on, the server has nothing to do for the slow readers but to wait. */
function begun(): void {
  readersToBegin -= 1;
  if (readersToBegin === 0) process.send?.('all there');
}

for (const [at, act] of clients.entries()) {
  const onBegun = act === slowReader ? begun : () => {};
  // Not all at the same moment.
  setTimeout(() => slowClient(Number(port), act, onBegun), (at * 2_000) / clients.length);
}
process.once('disconnect', () => process.exit());
