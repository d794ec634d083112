import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, request as send } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { type ServiceControl, systemClock } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { type ConsoleOptions, consoleOptions } from './options.js';
import { openConsole } from './serve/open-console.js';
import { Watch } from './watch/watch.js';

export interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

/** A console behind a real port, mounted at `/console` as a server does it. */
export class ConsoleHarness implements AsyncDisposable {
  readonly watch: Watch;
  readonly logger = new RecordingLogger();
  readonly operated: unknown[] = [];
  port = 0;
  readonly #directory: string;
  readonly #opened: ReturnType<typeof openConsole>;
  readonly #server = createServer((request, response) => {
    request.url = request.url?.replace(/^\/console\/?/, '/') ?? '/';
    void this.#opened.handler(request, response, () => response.writeHead(404).end());
  });

  private constructor(given: Partial<ConsoleOptions>, service: Partial<ServiceControl>) {
    const config = consoleOptions.parse({ sameMachine: false, ...given });
    this.watch = new Watch(config, systemClock);
    this.#directory = mkdtempSync(join(tmpdir(), 'keelson-console-'));
    mkdirSync(join(this.#directory, 'assets'));
    writeFileSync(join(this.#directory, 'index.html'), '<!doctype html><title>Console</title>');
    writeFileSync(join(this.#directory, 'assets/index-abc.js'), 'export {};');
    try {
      this.#opened = openConsole({
        config,
        clock: systemClock,
        watch: this.watch,
        logger: this.logger,
        service: { ...this.#service(), ...service },
        pageDirectory: this.#directory,
      });
    } catch (error) {
      rmSync(this.#directory, { recursive: true });
      throw error;
    }
  }

  static async open(given: Partial<ConsoleOptions> = {}, service: Partial<ServiceControl> = {}, port = 0) {
    const harness = new ConsoleHarness(given, service);
    await new Promise<void>(resolve => harness.#server.listen(port, '127.0.0.1', resolve));
    harness.port = (harness.#server.address() as AddressInfo).port;
    return harness;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}/console`;
  }

  /** As `fetch` cannot: with any `Host`. */
  ask(path: string, { method = 'GET', headers = {}, body }: Sent = {}): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: this.port, path: `/console${path}`, method, headers };
      const outgoing = send(options, async response => {
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: await text(response) });
      });
      outgoing.on('error', reject).end(body);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#opened[Symbol.dispose]();
    this.#server.close().closeAllConnections();
    rmSync(this.#directory, { recursive: true });
  }

  #service(): ServiceControl {
    return {
      identity: undefined,
      status: async () => ({
        service: 'shop',
        phase: 'ready',
        readiness: { status: 'pass', checks: [] },
        awaitingRestart: [],
        plugins: [],
      }),
      explain: async () => ({ service: 'shop', environment: undefined, files: [], groups: [] }),
      startReport: async () => undefined,
      operate: async (...given) => {
        this.operated.push(given);
        return 'It is done.';
      },
    };
  }
}

/** What the page sends to change something. */
export const fromPage = { 'content-type': 'application/json', 'x-keelson-console': '1' };
