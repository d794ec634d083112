import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * A payment service: charges once for each Idempotency-Key, and answers as `PUT /mode` says. `decline` takes no money;
 * `hang` takes it and never answers; `cut after` takes it and cuts the connection; `cut before` cuts it and takes nothing;
 * `fail` answers 500 after it took it.
 */
type Mode = 'answer' | 'decline' | 'hang' | 'cut after' | 'cut before' | 'fail';

interface Payment {
  readonly orderId: string;
  readonly amountCents: number;
  readonly currency: string;
  readonly status: 'paid' | 'declined';
  /** Requests with its key. */
  requests: number;
}

const payments = new Map<string, Payment>();
let mode: Mode = 'answer';
/** Requests that hang. */
const held: ServerResponse[] = [];

const server = createServer(async (request, response) => {
  const text = await textOf(request);
  if (request.url === '/mode') {
    mode = text as Mode;
    for (const each of held.splice(0)) each.destroy();
    response.end();
  } else if (request.url === '/payments' && request.method === 'GET')
    response.end(JSON.stringify([...payments.values()]));
  else charge(request, text, response);
});

function charge(request: IncomingMessage, text: string, response: ServerResponse): void {
  if (mode === 'cut before') {
    request.socket.resetAndDestroy();
    return;
  }
  const key = String(request.headers['idempotency-key']);
  const known = payments.get(key);
  const payment = known ?? { ...JSON.parse(text), status: mode === 'decline' ? 'declined' : 'paid', requests: 0 };
  payment.requests += 1;
  payments.set(key, payment);
  if (mode === 'cut after') request.socket.resetAndDestroy();
  else if (mode === 'hang') held.push(response);
  else if (mode === 'fail') response.writeHead(500).end('{}');
  else response.writeHead(known === undefined ? 201 : 200).end(JSON.stringify({ status: payment.status }));
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of request) text += part;
  return text;
}

server.listen(0, '127.0.0.1', () => {
  process.stdout.write(`listens on http://127.0.0.1:${(server.address() as AddressInfo).port} \n`);
});
