import type { OutgoingHttpHeader, ServerResponse } from 'node:http';
import { frontOf, hasLeft, isHeaderChange, putBefore, type ResponseFront, type Verb } from './response-front.js';

export interface ResponseKeeper {
  /** True while the commit runs whose success the answer reports; no other answer may replace it then. */
  readonly isStoring: boolean;
  /** Asked before the first byte of the answer. False when there is nothing to wait for: it leaves as it is written. */
  mustHold(): boolean;
  /**
   * Called once for an answer that must be held, before its first byte is sent. Rejects when the answer must not be sent.
   * `let go`: it is sent as it is. `finish with it`: it is sent while it is written, but its end waits for `finish`.
   */
  begin(status: number): Promise<'let go' | 'finish with it'>;
  /** Called once, before the end of such an answer is sent. Rejects when the answer must be cut. */
  finish(): Promise<void>;
  /** Called before the first byte of an answer that was held leaves: its headers may still be set. */
  leave(): void;
  /** Called with the reason when the answer cannot be sent, to write another one to the response itself. */
  replace(error: unknown): void;
}

/** The first byte and all later ones wait. */
interface Settling {
  readonly is: 'settling';
  readonly held: (() => void)[];
  owesDrain: boolean;
  ended: boolean;
}

type State =
  /** The handler has written nothing yet. */
  | { readonly is: 'open' }
  | Settling
  /** Written bytes are sent; the end waits for the keeper. */
  | { readonly is: 'streaming' }
  /** Written bytes are sent. */
  | { readonly is: 'passing' }
  /** Another answer was sent, or the client has disconnected: further writes are discarded. */
  | { readonly is: 'discarding' };

function settling(): Settling {
  return { is: 'settling', held: [], owesDrain: false, ended: false };
}

type Fate = 'hold' | 'pass' | 'discard';

/**
 * Holds back the answer of `response` until `keeper` has settled.
 *
 * Meanwhile the response looks as if it were being sent: `headersSent` is true, changing a header throws, and
 * `write` makes its caller wait for `drain`. What Node would refuse (a chunk that is not bytes, an invalid status)
 * it refuses at once, before the keeper settles.
 */
export function holdResponse(response: ServerResponse, keeper: ResponseKeeper): void {
  putBefore(response, new HeldResponse(response, keeper));
}

/** Makes room for another answer, when the handler has not ended the one that is held. False when it is too late. */
export function takeBack(response: ServerResponse): boolean {
  const front = frontOf(response);
  return front instanceof HeldResponse && front.takeBack();
}

/** True once the handler has begun an answer that had to wait. */
export function wasHeld(response: ServerResponse): boolean {
  const front = frontOf(response);
  return front instanceof HeldResponse && front.hasBegun;
}

class HeldResponse implements ResponseFront {
  readonly #response: ServerResponse;
  readonly #keeper: ResponseKeeper;
  #state: State = { is: 'open' };
  #hasBegun = false;

  constructor(response: ServerResponse, keeper: ResponseKeeper) {
    this.#response = response;
    this.#keeper = keeper;
  }

  /** Headers may be changed until an answer is held. */
  passes(verb: Verb): boolean {
    const { is } = this.#state;
    return is === 'passing' || (is !== 'settling' && isHeaderChange(verb));
  }

  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  get isSettling(): boolean {
    return this.#state.is === 'settling';
  }

  /** The handler has ended an answer that is still held. */
  get hasEnded(): boolean {
    return this.#state.is === 'settling' && this.#state.ended;
  }

  takeBack(): boolean {
    if (this.#state.is !== 'settling' || this.#state.ended || this.#keeper.isStoring || hasLeft(this.#response))
      return false;
    this.#state = { is: 'passing' };
    return true;
  }

  /** `response[verb](...args)`, as it is while the response is held. */
  call(verb: Verb, args: readonly unknown[], original: () => unknown): unknown {
    switch (verb) {
      case 'writeHead':
        return this.#writeHead(args, original);
      case 'flushHeaders':
        return this.#flushHeaders(original);
      case 'write':
        return this.#write(args, original);
      case 'end':
        return this.#end(args, original);
      default:
        throw headersSent(verb);
    }
  }

  #writeHead(args: readonly unknown[], original: () => unknown): unknown {
    const [status, ...rest] = args;
    if (this.#state.is === 'settling') throw headersSent('write');
    if (this.#state.is === 'discarding') return this.#response;
    if (this.#state.is !== 'open' || !isStatus(status) || this.#mayPass()) return original();
    const [message, headers] = typeof rest[0] === 'string' ? rest : [undefined, rest[0]];
    applyHeaders(this.#response, headers);
    if (typeof message === 'string') this.#response.statusMessage = message;
    this.#send(status, () => this.#response.writeHead(status));
    return this.#response;
  }

  #flushHeaders(original: () => unknown): void {
    if (this.#send(this.#response.statusCode, original) === 'pass') original();
  }

  #write(args: readonly unknown[], original: () => unknown): unknown {
    if (!isChunk(args[0])) return original();
    const fate = this.#send(this.#response.statusCode, original);
    if (fate === 'pass') return original();
    if (fate === 'discard') callBack(args);
    else if (this.#state.is === 'settling') this.#state.owesDrain = true;
    return false;
  }

  #end(args: readonly unknown[], original: () => unknown): unknown {
    if (!isChunk(args[0]) && args[0] != null && typeof args[0] !== 'function') return original();
    if (this.#state.is === 'streaming') this.#finish(settling());
    const fate = this.#send(this.#response.statusCode, original);
    if (fate === 'pass') return original();
    if (fate === 'discard') callBack(args);
    else if (this.#state.is === 'settling') this.#state.ended = true;
    return this.#response;
  }

  /** Decides whether an answer with `status` may be sent; keeps `call` for later when it has to wait. */
  #send(status: number, call: () => unknown): Fate {
    if (this.#state.is === 'open' && isStatus(status) && !this.#mayPass()) this.#begin(status);
    const state = this.#state;
    if (state.is !== 'settling' && state.is !== 'discarding') return 'pass';
    if (state.is === 'discarding' || state.ended) return 'discard';
    state.held.push(call);
    return 'hold';
  }

  /** Lets an answer go that waits for nothing. */
  #mayPass(): boolean {
    if (this.#keeper.mustHold()) return false;
    this.#state = { is: 'passing' };
    return true;
  }

  #begin(status: number): void {
    if (this.#response.destroyed) {
      this.#state = { is: 'discarding' };
      return;
    }
    this.#hasBegun = true;
    const state = settling();
    const { statusMessage } = this.#response;
    this.#state = state;
    this.#keeper.begin(status).then(
      how => {
        if (this.#state !== state) return;
        // A handler that continued may have changed it.
        this.#response.statusCode = status;
        this.#response.statusMessage = statusMessage;
        if (how === 'let go') this.#release(state, { is: 'passing' });
        else if (state.ended) this.#finish(state);
        else this.#release(state, { is: 'streaming' });
      },
      (error: unknown) => this.#replace(state, error),
    );
  }

  #finish(state: Settling): void {
    this.#state = state;
    this.#keeper.finish().then(
      () => this.#release(state, { is: 'passing' }),
      (error: unknown) => this.#replace(state, error),
    );
  }

  /** Sends the held writes. */
  #release(state: Settling, next: State): void {
    if (this.#state !== state) return;
    this.#state = next;
    if (this.#response.destroyed) return;
    try {
      this.#keeper.leave();
      for (const call of state.held) call();
    } catch (error) {
      // A middleware that changes headers on sending has failed.
      this.#replace(next, error);
      return;
    }
    // When the held writes have filled the socket, Node itself emits `drain`.
    if (state.owesDrain && !state.ended && !this.#response.writableNeedDrain) this.#response.emit('drain');
  }

  #replace(state: State, error: unknown): void {
    if (this.#state !== state) return;
    this.#state = { is: 'passing' };
    this.#keeper.replace(error);
    this.#state = { is: 'discarding' };
  }
}

/** In the words and with the code of Node, which middleware looks for. */
function headersSent(verb: string): Error {
  return Object.assign(new Error(`Cannot ${verb} headers after they are sent to the client`), {
    code: 'ERR_HTTP_HEADERS_SENT',
  });
}

function isStatus(status: unknown): status is number {
  return typeof status === 'number' && Number.isInteger(status) && status >= 100 && status <= 999;
}

function isChunk(chunk: unknown): boolean {
  return typeof chunk === 'string' || chunk instanceof Uint8Array;
}

/** What `writeHead` takes: an object, a flat list of names and values, or a list of pairs. */
function applyHeaders(response: ServerResponse, headers: unknown): void {
  if (!Array.isArray(headers)) {
    for (const [name, value] of Object.entries(headers ?? {})) response.setHeader(name, value as OutgoingHttpHeader);
    return;
  }
  const pairs = Array.isArray(headers[0])
    ? headers
    : headers.flatMap((name, at) => (at % 2 ? [] : [[name, headers[at + 1]]]));
  for (const [name] of pairs) response.removeHeader(name);
  for (const [name, value] of pairs) response.appendHeader(name, value);
}

function callBack(args: readonly unknown[]): void {
  const callback = args.findLast(argument => typeof argument === 'function');
  if (callback !== undefined) process.nextTick(callback as () => void, new Error('Another answer was given.'));
}
