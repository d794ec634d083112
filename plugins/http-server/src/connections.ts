import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock, Timer } from '@keelson/core';
import { http } from './node-http.js';
import { hasLeft } from './response-front.js';

/** Of Node itself: an answer that waits for its commit has left no byte, and refuses changes by its handler. */
const { setHeader, removeHeader } = http.OutgoingMessage.prototype;
const lookMs = 25;
/** An idle connection is closed after this many checks without data: an active client sends earlier. */
const looksAtRest = 20;
/** How long the client may still send after our side has ended, in ms; closing at once would discard unread answers. */
const lingerMs = 1_000;

interface Connection {
  readonly socket: Socket;
  /** Those without a complete answer, the oldest first. Seldom more than one. */
  readonly responses: ServerResponse[];
  /** `socket.bytesRead` at the last check, and the number of checks without change. */
  bytes: number;
  looks: number;
  /** Set once our side has ended. */
  linger: Timer | undefined;
}

/**
 * - `open`: connections stay.
 * - `announcing`: every answer is the last of its connection.
 * - `closing`: and connections without a request are closed.
 * - `closed`: all connections are closed.
 */
type State = 'open' | 'announcing' | 'closing' | 'closed';

/** Tracks every open connection of a server and the running answers on it. */
export class Connections {
  readonly #clock: Clock;
  readonly #connections = new Map<Socket, Connection>();
  #active = 0;
  readonly #gone = Promise.withResolvers<void>();
  #state: State = 'open';
  #look: Timer | undefined;
  #movedAt = Number.NEGATIVE_INFINITY;

  constructor(server: Server, clock: Clock) {
    this.#clock = clock;
    server.on('connection', socket => this.#add(socket));
  }

  /** Number of requests without a complete answer. */
  get active(): number {
    return this.#active;
  }

  /** Time since a client has connected, or got an answer after which it may connect again. */
  get quietForMs(): number {
    return this.#clock.now() - this.#movedAt;
  }

  /** The responses of which no byte has left. */
  unanswered(): ServerResponse[] {
    return [...this.#connections.values()].flatMap(({ responses }) => responses.filter(one => !hasLeft(one)));
  }

  /** True when `socket` owes an answer, or the rest of one. */
  owesAnswer(socket: Socket): boolean {
    return this.#responsesOn(socket).length > 0;
  }

  /** True when `socket` has sent a part of an answer and not the rest. */
  isAnswering(socket: Socket): boolean {
    return this.#responsesOn(socket).some(response => hasLeft(response) && !response.writableEnded);
  }

  /**
   * Resolves when all complete requests on `socket` are answered: the requests that have arrived as a whole, and those that
   * were refused before. False when the one that is still arriving is among them.
   */
  async answered(socket: Socket): Promise<boolean> {
    const due = this.#responsesOn(socket).filter(({ req, writableEnded }) => req.complete || writableEnded);
    await Promise.all(due.map(response => new Promise<void>(resolve => response.once('close', () => resolve()))));
    return due.every(({ req }) => req.complete);
  }

  /** Records a request. Returns false when its connection has sent its last answer: the request must not be handled. */
  begin(request: IncomingMessage, response: ServerResponse): boolean {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined || connection.linger !== undefined) return false;
    if (connection.responses.at(-1)?.shouldKeepAlive === false) return false;
    if (this.#state !== 'open' && !giveLastTo(response, connection.responses)) return false;
    connection.responses.push(response);
    this.#active += 1;
    response.on('close', () => this.#end(connection, response));
    return true;
  }

  /** Makes every answer the last of its connection from now on, also running ones. */
  announceClose(): void {
    if (this.#state === 'open') this.#state = 'announcing';
    for (const { responses } of this.#connections.values()) {
      const newest = responses.at(-1);
      if (newest !== undefined && !hasLeft(newest)) setHeader.call(newest, 'Connection', 'close');
    }
  }

  /** Closes each connection when it is idle. Resolves when all are closed. */
  closeAtRest(): Promise<void> {
    this.announceClose();
    this.#state = 'closing';
    this.#closeResting();
    return this.#gone.promise;
  }

  /** Ends our side, and continues to read for a while: a client that still sends must be able to read its answer. */
  leave(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined || connection.linger !== undefined) return;
    connection.linger = this.#clock.schedule(lingerMs, () => socket.destroy());
    socket.end();
  }

  isLeaving(socket: Socket): boolean {
    return this.#connections.get(socket)?.linger !== undefined;
  }

  /**
   * Nothing has moved on `socket` for a while. Closes it when it is idle, and when its client does not take the answer. A
   * handler that works or waits, and a request that still arrives, have limits of their own.
   */
  cutStalled(socket: Socket): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    const { responses, bytes } = connection;
    const isIdle = responses.length === 0 && bytes > 0 && socket.bytesRead === bytes;
    if (isIdle || socket.writableLength > 0) socket.destroy();
  }

  destroyAll(): void {
    this.#settle();
    for (const { socket, linger } of this.#connections.values()) {
      linger?.cancel();
      socket.destroy();
    }
  }

  #responsesOn(socket: Socket): readonly ServerResponse[] {
    return this.#connections.get(socket)?.responses ?? [];
  }

  #add(socket: Socket): void {
    this.#movedAt = this.#clock.now();
    this.#connections.set(socket, { socket, responses: [], bytes: 0, looks: 0, linger: undefined });
    // Node calls it after the last answer of a connection.
    socket.destroySoon = () => this.leave(socket);
    socket.once('close', () => this.#remove(socket));
  }

  #remove(socket: Socket): void {
    const connection = this.#connections.get(socket);
    connection?.linger?.cancel();
    for (const response of connection?.responses ?? []) if (response.socket === null) endInLine(response);
    this.#connections.delete(socket);
    if (this.#state === 'closing' && this.#connections.size === 0) this.#settle();
  }

  #end(connection: Connection, response: ServerResponse): void {
    const { responses } = connection;
    responses.splice(responses.indexOf(response), 1);
    this.#active -= 1;
    connection.bytes = connection.socket.bytesRead;
    connection.looks = 0;
    this.#movedAt = this.#clock.now();
  }

  /** Counts checks, not time: a process that was blocked for a second did not listen during that second. */
  #closeResting(): void {
    for (const connection of this.#connections.values()) {
      const { socket, responses, bytes } = connection;
      const isAtRest = responses.length === 0 && socket.bytesRead === bytes;
      connection.bytes = socket.bytesRead;
      connection.looks = isAtRest ? connection.looks + 1 : 0;
      if (connection.looks >= looksAtRest) this.leave(socket);
    }
    if (this.#connections.size === 0) this.#settle();
    else this.#look = this.#clock.schedule(lookMs, () => this.#lookAgain(), { keepAlive: true });
  }

  /** Resolves after a turn of the event loop, which has read all arrived data. */
  #lookAgain(): void {
    setImmediate(() => {
      if (this.#state === 'closing') this.#closeResting();
    });
  }

  #settle(): void {
    this.#state = 'closed';
    this.#look?.cancel();
    this.#gone.resolve();
  }
}

/**
 * Ends an answer that waits behind another one, after their connection has closed: its handler, its session and its span wait for
 * `close`. Node 22 emits it for the first answer alone, and Node 24 not after CONNECT.
 */
function endInLine(response: ServerResponse): void {
  response.destroy();
  setImmediate(() => {
    if (!response.closed) response.emit('close');
  });
}

/**
 * Makes `response` the last of its connection, after `earlier` ones whose requests came in front of it. False when one of
 * those is already marked as the last.
 */
function giveLastTo(response: ServerResponse, earlier: readonly ServerResponse[]): boolean {
  for (const one of earlier) {
    if (!one.hasHeader('Connection')) continue;
    if (hasLeft(one)) return false;
    removeHeader.call(one, 'Connection');
  }
  response.setHeader('Connection', 'close');
  return true;
}
