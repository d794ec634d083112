import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import {
  type Clock,
  HttpServer,
  type Lifecycle,
  type LifecyclePhase,
  Logger,
  type RunContext,
  systemClock,
  Telemetry,
} from '@keelson/core';
import { RecordingLogger, RecordingTelemetry } from '@keelson/core/testing';
import { Container } from 'inversify';
import plugin, { type HttpOptions, httpOptions } from './index.js';

/** A lifecycle that the test moves. */
export class MovableLifecycle implements Lifecycle {
  phase: LifecyclePhase = 'starting';
  readonly #controller = new AbortController();
  readonly #listeners = new Set<(phase: LifecyclePhase) => void>();

  get stopping(): AbortSignal {
    return this.#controller.signal;
  }

  onPhase(listener: (phase: LifecyclePhase) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  move(phase: LifecyclePhase): void {
    this.phase = phase;
    if (phase === 'stopping') this.#controller.abort();
    for (const listener of this.#listeners) listener(phase);
  }
}

/** The plugin with its hooks called as the kernel calls them, on a free port of the loopback. */
export class Harness implements AsyncDisposable {
  readonly container = new Container();
  readonly lifecycle = new MovableLifecycle();
  readonly logger = new RecordingLogger();
  readonly telemetry = new RecordingTelemetry();
  readonly context: RunContext<HttpOptions>;

  constructor(options: Partial<HttpOptions> = {}, clock: Clock = systemClock) {
    const { container, lifecycle, logger } = this;
    const config = httpOptions.parse({ port: 0, host: '127.0.0.1', ...options });
    const signal = new AbortController().signal;
    this.context = {
      config,
      service: 'shop',
      environment: undefined,
      key: 'http',
      instance: undefined,
      directory: '.',
      clock,
      lifecycle,
      serving: true,
      container,
      logger,
      signal,
      waitingFor() {},
    };
    container.bind(Logger).toConstantValue(logger);
    container.bind(Telemetry).toConstantValue(this.telemetry);
  }

  get http(): HttpServer {
    return this.container.get(HttpServer);
  }

  get url(): string {
    return this.http.url ?? 'http://not-listening';
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** Up to and with `start`: it listens, but the service is not ready. */
  async start(): Promise<this> {
    await plugin.register?.({ ...this.context, bind: this.container.bind.bind(this.container), decorate() {} });
    await plugin.start?.(this.context);
    return this;
  }

  async ready(): Promise<this> {
    await this.start();
    await this.letIn();
    return this;
  }

  /** What remains of a start, when all others have started. */
  async letIn(): Promise<void> {
    await plugin.ready?.(this.context);
    this.lifecycle.move('ready');
  }

  drain(signal: AbortSignal = this.context.signal): Promise<void> {
    return Promise.resolve(plugin.drain?.({ ...this.context, signal }));
  }

  async stop(): Promise<void> {
    await plugin.stop?.(this.context);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  /** An open connection, for what no client would send. */
  connect(): Promise<RawConnection> {
    return connectTo(this.port);
  }
}

export async function connectTo(port: number): Promise<RawConnection> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  return new RawConnection(socket);
}

/** Bytes in and out, and the wish to read until something is there. */
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

/** A promise to be settled from outside, and a handler that reports its arrival and waits for it. */
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

/** A problem document, with the statuses and headers that came with it. */
export async function problemFrom(response: Response) {
  const { status, headers } = response;
  const body = (await response.json()) as Record<string, unknown>;
  return { status, type: headers.get('content-type'), retryAfter: headers.get('retry-after'), headers, body };
}
