import type { Random } from '../world/random.ts';
import { currentOwner } from '../world/virtual-time.ts';
import type { World } from '../world/world.ts';

/** One end of a connection, as the network calls it. */
export interface End {
  /** `isReset`: at once, and what was sent and not read is lost. */
  ended(isReset: boolean): void;
  data(bytes: Buffer): void;
}

export interface ClientEnd extends End {
  connected(address: string, port: number): void;
  refused(code: string, syscall: 'connect' | 'getaddrinfo'): void;
}

/** What listens at an address. */
export interface Listener {
  /** As in `remoteAddress`. */
  readonly address: string;
  /** `silent`: the machine is off, or nothing of it is reached. */
  readonly presence: 'listening' | 'refusing' | 'silent';
  accept(link: Link): End;
}

/** How packets get through between one process and one server. */
export type Passage =
  | 'free'
  /** They are sent again and again, and arrive when the passage is free again. */
  | 'held'
  /** What is in between has forgotten the connection: nothing of it arrives any more. */
  | 'swallowed';

export interface Pace {
  /** One way, in ms. */
  latencyMs: number;
  jitterMs: number;
  /** How often a piece of data arrives in two. */
  splits: number;
}

/** All connections between processes and servers. */
export class Network {
  readonly #world: World;
  readonly #random: Random;
  readonly #names = new Map<string, Listener>();
  readonly #passages = new Map<string, Passage>();
  readonly links = new Set<Link>();
  readonly pace: Pace;
  #made = 0;
  /** Looks at each connection that is made, to plan a fault in it. */
  onMade: ((link: Link) => void) | undefined;

  constructor(world: World, pace: Pace) {
    this.#world = world;
    this.#random = world.random.fork('network');
    this.pace = pace;
  }

  get world(): World {
    return this.#world;
  }

  /** `name` leads to `listener` from now on, for connections that are made from now on. */
  point(name: string, listener: Listener): void {
    this.#names.set(name, listener);
  }

  setPassage(owner: string, listener: Listener, passage: Passage): void {
    this.#passages.set(`${owner} ${listener.address}`, passage);
    for (const link of this.links) if (link.owner === owner && link.listener === listener) link.passageChanged();
  }

  passage(owner: string, listener: Listener): Passage {
    return this.#passages.get(`${owner} ${listener.address}`) ?? 'free';
  }

  delayMs(): number {
    return this.pace.latencyMs + this.#random.exponential(this.pace.jitterMs);
  }

  splitAt(length: number): number | undefined {
    return length > 1 && this.#random.chance(this.pace.splits) ? this.#random.integer(1, length - 1) : undefined;
  }

  connect(name: string, port: number, client: ClientEnd): Link | undefined {
    const { time } = this.#world;
    const owner = currentOwner() ?? 'nobody';
    const listener = this.#names.get(name);
    if (listener === undefined) {
      const refuse = () => client.refused('ENOTFOUND', 'getaddrinfo');
      time.after(this.delayMs(), 'a name that is not found', refuse, owner);
      return undefined;
    }
    this.#made += 1;
    const link = new Link(this, this.#made, owner, listener, client, port);
    this.links.add(link);
    link.knock();
    return link;
  }
}

/** As often as Linux sends the first packet of a connection again. */
const knocksMs = [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000];

interface Piece {
  readonly bytes: Buffer | 'end';
  readonly arrived: ((count: number) => void) | undefined;
}

/** Pieces travel one after the other. */
interface Lane {
  /** When the last piece that was sent arrives. */
  lastAt: number;
  sentBytes: number;
  /** The connection is reset when so many bytes have arrived. */
  cutAfter: number;
  arrivedBytes: number;
  readonly held: Piece[];
}

const lane = (): Lane => ({ lastAt: 0, sentBytes: 0, cutAfter: Number.POSITIVE_INFINITY, arrivedBytes: 0, held: [] });

/** One connection. */
export class Link {
  readonly number: number;
  readonly owner: string;
  readonly listener: Listener;
  readonly port: number;
  /** What its client says that it is for. */
  purpose = '';
  readonly #network: Network;
  readonly #client: ClientEnd;
  #server: End | undefined;
  readonly #up = lane();
  readonly #down = lane();
  /** Nothing of it arrives any more, and neither end gets a sign of that. */
  #isForgotten = false;
  #isClientGone = false;
  #isUpFinished = false;
  #isServerGone = false;
  #isConnected = false;
  #knocks = 0;

  constructor(network: Network, number: number, owner: string, listener: Listener, client: ClientEnd, port: number) {
    this.#network = network;
    this.number = number;
    this.owner = owner;
    this.listener = listener;
    this.#client = client;
    this.port = port;
  }

  get isOpen(): boolean {
    return this.#isConnected && !this.#isClientGone;
  }

  get isServerGone(): boolean {
    return this.#isServerGone;
  }

  get name(): string {
    return `connection ${this.number}${this.purpose}`;
  }

  get sent(): { readonly up: number; readonly down: number } {
    return { up: this.#up.sentBytes, down: this.#down.sentBytes };
  }

  /** The first packet, and again while nothing answers. */
  knock(): void {
    const { world } = this.#network;
    world.time.after(this.#network.delayMs() * 2, 'a connection', () => this.#knocked(), this.owner);
  }

  #knocked(): void {
    if (this.#isClientGone) return;
    const { world } = this.#network;
    const { presence } = this.listener;
    if (presence === 'silent' || this.#passage !== 'free') {
      const waitMs = knocksMs[this.#knocks++];
      if (waitMs === undefined) this.#refuse('ETIMEDOUT');
      else world.time.after(waitMs, 'a connection that is tried again', () => this.#knocked(), this.owner);
      return;
    }
    if (presence === 'refusing') {
      this.#refuse('ECONNREFUSED');
      return;
    }
    this.#isConnected = true;
    this.#server = this.listener.accept(this);
    this.#network.onMade?.(this);
    this.#client.connected(this.listener.address, this.port);
  }

  #refuse(code: string): void {
    this.#end();
    this.#client.refused(code, 'connect');
  }

  get #passage(): Passage {
    return this.#network.passage(this.owner, this.listener);
  }

  /** From the client. */
  sendUp(bytes: Buffer | 'end'): void {
    this.#send(this.#up, { bytes, arrived: undefined }, 'up');
  }

  /** From the server; `arrived` is called with how many bytes of it have reached the client by then. */
  sendDown(bytes: Buffer | 'end', arrived?: (count: number) => void): void {
    this.#send(this.#down, { bytes, arrived }, 'down');
  }

  /** The client sends no more; what it has sent still arrives. */
  finishUp(): void {
    if (this.#isClientGone || this.#isUpFinished) return;
    this.#isUpFinished = true;
    if (this.#isConnected) this.#send(this.#up, { bytes: 'end', arrived: undefined }, 'up');
  }

  /** The client has closed it. */
  closeUp(): void {
    if (this.#isClientGone) return;
    this.finishUp();
    this.#isClientGone = true;
    this.#maybeEnd();
  }

  /** The server has closed it. */
  closeDown(): void {
    if (this.#isServerGone) return;
    this.#send(this.#down, { bytes: 'end', arrived: undefined }, 'down');
    this.#isServerGone = true;
    this.#maybeEnd();
  }

  /** The machine of the server is off: connections end without a word. */
  vanish(): void {
    this.#isServerGone = true;
    this.#isForgotten = true;
    this.#maybeEnd();
  }

  /** Both ends see a reset, as far as they are reached. */
  reset(): void {
    const { world } = this.#network;
    if (this.#isForgotten) return;
    this.#isForgotten = true;
    world.time.after(0, 'a reset', () => this.#resetClient(), this.owner);
    if (!this.#isServerGone) world.time.after(this.#network.delayMs(), 'a reset', () => this.#resetServer(), undefined);
  }

  /** The process of the client is gone; its system closes the connection. */
  abandon(): void {
    this.closeUp();
  }

  /** Nothing arrives any more, and neither end gets a sign of it. */
  forget(): void {
    this.#isForgotten = true;
  }

  /** It is reset when so many more bytes have been sent and arrived. */
  cutUpAfter(bytes: number): void {
    this.#up.cutAfter = this.#up.sentBytes + bytes;
  }

  cutDownAfter(bytes: number): void {
    this.#down.cutAfter = this.#down.sentBytes + bytes;
  }

  passageChanged(): void {
    const passage = this.#passage;
    if (passage === 'swallowed') this.#isForgotten = true;
    if (passage !== 'free') return;
    for (const [held, direction] of [
      [this.#up, 'up'],
      [this.#down, 'down'],
    ] as const) {
      const owner = direction === 'down' ? this.owner : undefined;
      const { world } = this.#network;
      if (held.held.length > 0)
        world.time.after(this.#network.delayMs(), 'data', () => this.#letGo(held, direction), owner);
    }
  }

  /** Until then, what arrives waits behind what was held. */
  #letGo(on: Lane, direction: 'up' | 'down'): void {
    if (this.#passage === 'held' || this.#isForgotten) return;
    for (const piece of on.held.splice(0)) this.#deliver(on, piece, direction);
  }

  #resetClient(): void {
    if (this.#isClientGone) return;
    this.#isClientGone = true;
    this.#client.ended(true);
    this.#maybeEnd();
  }

  #resetServer(): void {
    if (this.#isServerGone) return;
    this.#isServerGone = true;
    this.#server?.ended(true);
    this.#maybeEnd();
  }

  #send(on: Lane, piece: Piece, direction: 'up' | 'down'): void {
    if (direction === 'up' ? this.#isClientGone : this.#isServerGone) return;
    const { bytes } = piece;
    if (bytes !== 'end') {
      on.sentBytes += bytes.length;
      const at = this.#network.splitAt(bytes.length);
      if (at !== undefined) {
        const { arrived } = piece;
        this.#travel(on, { bytes: bytes.subarray(0, at), arrived }, direction);
        this.#travel(on, { bytes: bytes.subarray(at), arrived: count => arrived?.(at + count) }, direction);
        return;
      }
    }
    this.#travel(on, piece, direction);
  }

  #travel(on: Lane, piece: Piece, direction: 'up' | 'down'): void {
    const { world } = this.#network;
    on.lastAt = Math.max(on.lastAt, world.now + this.#network.delayMs());
    const owner = direction === 'down' ? this.owner : undefined;
    world.time.after(on.lastAt - world.now, 'data', () => this.#arrive(on, piece, direction), owner);
  }

  #arrive(on: Lane, piece: Piece, direction: 'up' | 'down'): void {
    if (this.#isForgotten) return;
    if (this.#passage === 'held' || on.held.length > 0) {
      on.held.push(piece);
      return;
    }
    this.#deliver(on, piece, direction);
  }

  #deliver(on: Lane, piece: Piece, direction: 'up' | 'down'): void {
    const { bytes, arrived } = piece;
    const target = direction === 'up' ? this.#server : this.#client;
    const isGone = direction === 'up' ? this.#isServerGone : this.#isClientGone;
    if (isGone) {
      // What arrives where the connection is not known any more is answered with a reset.
      if (direction === 'up' && bytes !== 'end') this.#bounce();
      return;
    }
    if (bytes === 'end') {
      target?.ended(false);
      return;
    }
    const room = on.cutAfter - on.arrivedBytes;
    if (room >= bytes.length) {
      on.arrivedBytes += bytes.length;
      target?.data(bytes);
      arrived?.(bytes.length);
      return;
    }
    if (room > 0) {
      target?.data(bytes.subarray(0, room));
      arrived?.(room);
    }
    this.#network.world.note(
      `the network cuts ${this.name} of ${this.owner} ${direction === 'up' ? 'on the way to the server' : 'on the way back'}`,
    );
    this.reset();
  }

  #bounce(): void {
    const { world } = this.#network;
    world.time.after(this.#network.delayMs(), 'a reset', () => this.#resetClient(), this.owner);
  }

  #maybeEnd(): void {
    if (this.#isClientGone && (this.#isServerGone || !this.#isConnected)) this.#end();
  }

  #end(): void {
    this.#network.links.delete(this);
  }
}
