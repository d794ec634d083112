import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { type Clock, type HttpServer, systemClock } from '@keelson/core';
import { RecordingLogger, RecordingTelemetry } from '@keelson/core/testing';
import { MovableLifecycle } from '@keelson/test-support/movable-lifecycle';
import { type HttpOptions, httpOptions } from './options.js';
import { createServer } from './server-under-test.fixture.js';

/** The server, started and stopped as the plugin does it, on a free port of the loopback. */
export class Harness implements AsyncDisposable {
  readonly lifecycle = new MovableLifecycle();
  readonly logger = new RecordingLogger();
  readonly telemetry = new RecordingTelemetry();
  readonly server: ReturnType<typeof createServer>;

  constructor(options: Partial<HttpOptions> = {}, clock: Clock = systemClock) {
    const config = httpOptions.parse({ port: 0, host: '127.0.0.1', ...options });
    const { lifecycle, telemetry } = this;
    const logger = this.logger.child({ plugin: 'http' });
    this.server = createServer(config, { clock, lifecycle, logger, telemetry });
  }

  get http(): HttpServer {
    return this.server;
  }

  get url(): string {
    return this.http.url ?? 'http://not-listening';
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Runs the start of the plugin: it listens, but the service is not ready. */
  async start(): Promise<this> {
    await this.server.listen();
    return this;
  }

  async ready(): Promise<this> {
    await this.start();
    this.letIn();
    return this;
  }

  /** Runs the rest of a start, when all other plugins have started. */
  letIn(): void {
    this.server.letIn(undefined);
    this.lifecycle.move('ready');
  }

  drain(signal: AbortSignal = new AbortController().signal): Promise<void> {
    return this.server.drain(signal);
  }

  stop(): Promise<void> {
    return this.server.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** Mounts a route at `/slow`, whose requests are answered with `text` when the gate is opened. */
  slowRoute(text: string): ReturnType<typeof gate> {
    const slow = gate();
    this.http.router('/slow', async (_request, response) => {
      await slow.pass();
      response.end(text);
    });
    return slow;
  }

  /** An open connection, for bytes that no client would send. */
  connect(): Promise<RawConnection> {
    return connectTo(this.port);
  }
}

export async function connectTo(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return new RawConnection(socket);
}

/** Sends and receives bytes, and waits for expected ones. */
export class RawConnection {
  readonly socket: Socket;
  received = '';
  closed = false;
  failed: Error | undefined;
  #changed: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8').on('data', chunk => {
      this.received += chunk;
      this.#changed();
    });
    socket.on('error', error => {
      this.failed = error;
    });
    socket.on('close', () => {
      this.closed = true;
      this.#changed();
    });
  }

  send(text: string): this {
    this.socket.write(text);
    return this;
  }

  /** Resolves when `condition` holds; checked at each byte and at the end. */
  async until(condition: (connection: this) => boolean): Promise<string> {
    while (!condition(this)) {
      if (this.closed) throw new Error(`the connection has ended, after: ${this.received}`);
      await new Promise<void>(resolve => {
        this.#changed = resolve;
      });
    }
    return this.received;
  }
}

/** A promise for the test to settle, and a handler that reports its arrival and waits for it. */
export function gate() {
  const arrived = Promise.withResolvers<void>();
  const opened = Promise.withResolvers<void>();
  return {
    arrived: arrived.promise,
    open: () => opened.resolve(),
    pass: () => {
      arrived.resolve();
      return opened.promise;
    },
  };
}

/** A problem document with its status and headers. */
export async function problemFrom(response: Response) {
  const { status, headers } = response;
  const body = (await response.json()) as Record<string, unknown>;
  return { status, type: headers.get('content-type'), retryAfter: headers.get('retry-after'), headers, body };
}
