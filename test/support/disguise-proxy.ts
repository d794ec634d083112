import { connect, createServer, type Socket } from 'node:net';
import { freePort } from './free-port.js';

export interface Disguise {
  /** What the server is sent in place of a statement. Default: the statement. */
  readonly statement?: (sql: string) => string;
  /** What is said to a client that begins with these parameters, before its connection ends; undefined lets it through. */
  readonly refusal?: (parameters: ReadonlyMap<string, string>) => { code: string; message: string } | undefined;
  /** The process id that the client gets at its start, in place of this one; undefined: it gets none. */
  readonly processId?: (ofServer: number) => number | undefined;
}

export interface DisguiseProxy extends AsyncDisposable {
  url(databaseUrl: string): string;
  /** Texts of the statements that clients have sent, in order. */
  readonly statements: readonly string[];
}

/** Stands before a PostgreSQL and makes it look like another engine, or like one behind a pooler. Knows no TLS. */
export async function startDisguiseProxy(to: string, disguise: Disguise): Promise<DisguiseProxy> {
  const port = await freePort();
  const { hostname, port: toPort } = new URL(to);
  const statements: string[] = [];
  const open = new Set<Socket>();
  const listener = createServer(client => {
    const server = connect({ host: hostname, port: Number(toPort), noDelay: true });
    for (const socket of [client, server]) {
      open.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        open.delete(socket);
        client.destroy();
        server.destroy();
      });
    }
    const fromClient = new Messages(true);
    client.on('data', chunk => {
      for (const message of fromClient.push(chunk)) {
        const refusal = message.type === 'startup' ? disguise.refusal?.(parametersOf(message.body)) : undefined;
        if (refusal !== undefined) client.end(fatal(refusal));
        else server.write(toServer(message, disguise, statements));
      }
    });
    const fromServer = new Messages(false);
    server.on('data', chunk => {
      for (const message of fromServer.push(chunk)) {
        const passed = message.type === 'K' ? keyOf(message, disguise) : message.whole;
        if (passed !== undefined) client.write(passed);
      }
    });
  });
  await new Promise<void>(resolve => listener.listen(port, '127.0.0.1', resolve));
  return {
    statements,
    url(databaseUrl) {
      const url = new URL(databaseUrl);
      url.host = `127.0.0.1:${port}`;
      return url.href;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of open) socket.destroy();
      await new Promise(resolve => listener.close(resolve));
    },
  };
}

interface Message {
  /** The letter; `startup` for the messages of a client that have none. */
  readonly type: string;
  readonly whole: Buffer;
  /** What follows the length. */
  readonly body: Buffer;
}

/** Cuts a stream into whole messages. */
class Messages {
  #rest = Buffer.alloc(0);
  #isStarting: boolean;

  constructor(isStarting: boolean) {
    this.#isStarting = isStarting;
  }

  *push(chunk: Buffer): Generator<Message> {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    for (;;) {
      const head = this.#isStarting ? 4 : 5;
      if (this.#rest.length < head) return;
      const end = this.#rest.readInt32BE(head - 4) + head - 4;
      if (this.#rest.length < end) return;
      const whole = this.#rest.subarray(0, end);
      const type = this.#isStarting ? 'startup' : String.fromCharCode(whole[0] ?? 0);
      this.#rest = this.#rest.subarray(end);
      this.#isStarting = false;
      yield { type, whole, body: whole.subarray(head) };
    }
  }
}

function toServer({ type, whole, body }: Message, disguise: Disguise, statements: string[]): Buffer {
  if (type !== 'Q' && type !== 'P') return whole;
  // Parse has the name of the statement first.
  const start = type === 'Q' ? 0 : body.indexOf(0) + 1;
  const end = body.indexOf(0, start);
  const sql = body.toString('utf8', start, end);
  statements.push(sql);
  const text = disguise.statement?.(sql) ?? sql;
  return framed(type, Buffer.concat([body.subarray(0, start), Buffer.from(text), body.subarray(end)]));
}

function keyOf({ whole, body }: Message, { processId }: Disguise): Buffer | undefined {
  if (processId === undefined) return whole;
  const given = processId(body.readInt32BE(0));
  if (given === undefined) return undefined;
  const changed = Buffer.from(body);
  changed.writeInt32BE(given, 0);
  return framed('K', changed);
}

function parametersOf(body: Buffer): ReadonlyMap<string, string> {
  const texts = body.subarray(4).toString('utf8').split('\0');
  const pairs = texts.flatMap((name, index) =>
    index % 2 === 0 && name !== '' ? [[name, texts[index + 1] ?? '']] : [],
  );
  return new Map(pairs as [string, string][]);
}

function fatal({ code, message }: { code: string; message: string }): Buffer {
  return framed('E', Buffer.from(`SFATAL\0VFATAL\0C${code}\0M${message}\0\0`));
}

function framed(type: string, body: Buffer): Buffer {
  const head = Buffer.alloc(5);
  head.write(type, 0, 'latin1');
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}
