import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

interface Connection {
  readonly responses: Set<ServerResponse>;
  /** `socket.bytesRead` when it last had nothing to do: more than that means that a request is on its way. */
  bytesAtRest: number;
}

/** Every open connection of a server and the answers that are under way on them. */
export class Connections {
  readonly #connections = new Map<Socket, Connection>();
  readonly #responses = new Set<ServerResponse>();
  #closing = false;
  #quiet = Promise.withResolvers<void>();

  constructor(server: Server) {
    server.on('connection', socket => this.#add(socket));
    server.prependListener('request', (request, response) => this.#begin(request, response));
  }

  /** How many requests are being answered. */
  get active(): number {
    return this.#responses.size;
  }

  /** True when a part of an answer has left on `socket` and the rest has not. */
  isAnswering(socket: Socket): boolean {
    return [...(this.#connections.get(socket)?.responses ?? [])].some(response => response.headersSent);
  }

  /** From now on every answer is the last of its connection, and idle connections are closed. */
  closeWhenIdle(): void {
    this.#closing = true;
    for (const response of this.#responses) announceClose(response);
    for (const [socket, connection] of this.#connections) closeIfIdle(socket, connection);
    this.#settle();
  }

  /** Resolves once `closeWhenIdle` was called and no request is being answered. */
  quiet(): Promise<void> {
    return this.#quiet.promise;
  }

  destroyAll(): void {
    for (const socket of this.#connections.keys()) socket.destroy();
  }

  #add(socket: Socket): void {
    this.#connections.set(socket, { responses: new Set(), bytesAtRest: 0 });
    socket.once('close', () => this.#connections.delete(socket));
  }

  #begin(request: IncomingMessage, response: ServerResponse): void {
    const { socket } = request;
    const connection = this.#connections.get(socket);
    connection?.responses.add(response);
    this.#responses.add(response);
    if (this.#closing) announceClose(response);
    response.once('close', () => this.#end(socket, connection, response));
  }

  #end(socket: Socket, connection: Connection | undefined, response: ServerResponse): void {
    this.#responses.delete(response);
    if (connection !== undefined) {
      connection.responses.delete(response);
      connection.bytesAtRest = socket.bytesRead;
      if (this.#closing) closeIfIdle(socket, connection);
    }
    this.#settle();
  }

  #settle(): void {
    if (this.#closing && this.#responses.size === 0) this.#quiet.resolve();
  }
}

function announceClose(response: ServerResponse): void {
  if (!response.headersSent) response.setHeader('Connection', 'close');
}

function closeIfIdle(socket: Socket, { responses, bytesAtRest }: Connection): void {
  // end() lets what was written leave first.
  if (responses.size === 0 && socket.bytesRead === bytesAtRest) socket.end();
}
