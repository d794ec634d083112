import type { RequestListener, Server } from 'node:http';
import type { HttpHandler, Logger } from '@keelson/core';
import { describeListening, listen } from './listen.js';
import { http } from './node-http.js';
import type { AdminOptions } from './options.js';

export interface AdminApp {
  readonly handle: RequestListener;
  mount(path: string, handler: HttpHandler): void;
}

/** A port of its own for probes, metrics and pages of operators. It answers until the end of a stop. */
export class AdminPort {
  readonly #options: AdminOptions;
  readonly #app: AdminApp;
  readonly #logger: Logger;
  readonly #server: Server;
  #url: string | undefined;
  #address: string | undefined;

  constructor(options: AdminOptions, app: AdminApp, logger: Logger) {
    this.#options = options;
    this.#app = app;
    this.#logger = logger;
    this.#server = http.createServer(app.handle);
  }

  get url(): string | undefined {
    return this.#url;
  }

  get address(): string | undefined {
    return this.#address;
  }

  mount(path: string, handler: HttpHandler): void {
    this.#app.mount(path, handler);
  }

  /** @throws KeelsonError HTTP_PORT_TAKEN, HTTP_PORT_FORBIDDEN or HTTP_LISTEN_FAILED. */
  async listen(): Promise<void> {
    const listening = await listen(this.#server, this.#options);
    this.#url = listening.url;
    this.#address = listening.address;
    this.#server.on('error', error => this.#logger.error('admin port failed', { error }));
    this.#logger.info(`admin port listening on ${describeListening(listening)}`, { ...listening });
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#url = undefined;
    this.#address = undefined;
  }
}
