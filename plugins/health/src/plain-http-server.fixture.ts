import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { HttpHandler, HttpServer } from '@keelson/core';

/** The smallest server that keeps the contract of `HttpServer.router`, on a free port of the loopback. */
export class PlainHttpServer implements HttpServer, AsyncDisposable {
  readonly #routes: { path: string; handler: HttpHandler; session: string }[] = [];
  readonly #server: Server;
  url: string | undefined;

  constructor() {
    this.#server = createServer((request, response) => {
      const path = request.url ?? '/';
      const route = this.#routes.find(route => path.split('?')[0]?.startsWith(route.path));
      const notFound = () => void response.writeHead(404).end();
      if (route === undefined) return notFound();
      const rest = path.slice(route.path.length);
      request.url = rest.startsWith('/') ? rest : `/${rest}`;
      route.handler(request, response, notFound);
    });
  }

  get sessions(): string[] {
    return this.#routes.map(route => route.session);
  }

  router(path: string, handler: HttpHandler, options: { session?: string } = {}): void {
    this.#routes.push({ path, handler, session: options.session ?? 'request' });
  }

  use(): void {}

  session(): void {}

  async listen(): Promise<string> {
    await new Promise<void>(resolve => this.#server.listen(0, '127.0.0.1', resolve));
    const { port } = this.#server.address() as AddressInfo;
    this.url = `http://127.0.0.1:${port}`;
    return this.url;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise(resolve => this.#server.close(resolve));
  }
}
