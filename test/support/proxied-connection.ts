import { connect, type Socket } from 'node:net';
import { DelayedQueue } from './delayed-queue.js';
import { type RoundTrip, WireCounter } from './wire-counter.js';
import { type ReceivedAnswer, WireSession } from './wire-session.js';

/** A connection that is to break at a statement. */
export interface PlannedCut {
  readonly when: 'before' | 'after' | 'on its way';
  done(): void;
}

/** What a connection needs of its proxy. */
export interface ConnectionOwner {
  readonly to: { readonly host: string; readonly port: number };
  readonly latencyMs: number;
  /** Hands out the planned cut that this statement sets off, once. */
  takeCut(statement: string): PlannedCut | undefined;
  began(trip: RoundTrip): void;
  passed(direction: 'toServer' | 'toClient', bytes: number): void;
  lostToClient(bytes: number): void;
  closed(connection: ProxiedConnection): void;
}

/** One client, one server connection, and what happens between them. */
export class ProxiedConnection {
  readonly #owner: ConnectionOwner;
  readonly #client: Socket;
  readonly #toServer = new DelayedQueue();
  readonly #toClient = new DelayedQueue();
  readonly #session = new WireSession();
  readonly #counter: WireCounter;
  #server: Socket | undefined;
  /** What is sent in this direction never arrives. */
  isLossy: 'toServer' | 'toClient' | 'both' | undefined;
  #isClosed = false;
  #cut: { plan: PlannedCut; group: number } | undefined;

  constructor(client: Socket, number: number, owner: ConnectionOwner, isHeld: boolean) {
    this.#client = client;
    this.#owner = owner;
    this.#counter = new WireCounter(number, trip => owner.began(trip));
    client.setNoDelay(true);
    client.on('data', chunk => this.#fromClient(chunk));
    client.on('end', () => this.#toServer.push(() => this.#server?.end()));
    client.on('error', () => {});
    // Through the queue: while it is held, the server does not learn that the client went away.
    client.on('close', () => this.#toServer.push(() => this.close('destroy')));
    if (isHeld) this.hold();
    this.#toServer.push(() => this.#connect());
  }

  get isCancelRequest(): boolean {
    return this.#session.isCancelRequest;
  }

  /** From now on nothing passes in either direction; what arrives is kept. */
  hold(): void {
    this.#toServer.hold();
    this.#toClient.hold();
  }

  release(): void {
    this.#toServer.release();
    this.#toClient.release();
  }

  /** Ends both sides at once: in the ordinary way, or for the client with a TCP reset. */
  close(how: 'destroy' | 'reset'): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#toServer.clear();
    this.#toClient.clear();
    if (how === 'reset') this.#client.resetAndDestroy();
    else this.#client.destroy();
    this.#server?.destroy();
    this.#cut?.plan.done();
    this.#owner.closed(this);
  }

  #connect(): void {
    const server = connect({ ...this.#owner.to, allowHalfOpen: true, noDelay: true });
    this.#server = server;
    server.on('data', chunk => this.#fromServer(chunk));
    server.on('end', () => this.#toClient.push(() => this.#client.end(), this.#owner.latencyMs));
    server.on('error', () => this.#toClient.push(() => this.close('reset')));
    server.on('close', () => this.#toClient.push(() => this.close('destroy'), this.#owner.latencyMs));
  }

  #fromClient(chunk: Buffer): void {
    if (this.isLossy === 'toServer' || this.isLossy === 'both') return;
    for (const message of this.#session.sent(chunk)) {
      const plan = message.statement === undefined ? undefined : this.#owner.takeCut(message.statement);
      if (plan?.when === 'before') {
        this.#cutBefore(plan, chunk.subarray(0, message.start));
        return;
      }
      if (plan?.when === 'on its way') this.#orphan(plan);
      if (plan?.when === 'after') this.#cut = { plan, group: message.group };
      this.#counter.sent(message);
    }
    this.#toServer.push(() => this.#write('toServer', chunk));
  }

  #fromServer(chunk: Buffer): void {
    const { kept, isCutHere } = this.#keptOf(chunk, this.#session.answeredGroups, this.#session.received(chunk));
    if (this.isLossy === 'toClient' || this.isLossy === 'both') {
      this.#owner.lostToClient(chunk.length);
      return;
    }
    this.#toClient.push(() => {
      this.#counter.delivered(kept.answers);
      this.#write('toClient', chunk.subarray(0, kept.bytes));
      if (isCutHere) this.close('destroy');
    }, this.#owner.latencyMs);
  }

  /** With a cut planned, all that answers the group of the statement is left out. */
  #keptOf(chunk: Buffer, answeredBefore: number, answers: readonly ReceivedAnswer[]) {
    if (this.#cut === undefined) return { kept: { bytes: chunk.length, answers }, isCutHere: false };
    const { group } = this.#cut;
    const earlier = answers.filter(answer => answer.group < group);
    const isLastKept = answeredBefore + earlier.length >= group;
    const bytes = isLastKept ? (earlier.at(-1)?.end ?? 0) : chunk.length;
    return { kept: { bytes, answers: earlier }, isCutHere: answers.length > earlier.length };
  }

  /** The client loses its connection. The server keeps it, and gets no sign of that until the release. */
  #orphan(plan: PlannedCut): void {
    this.hold();
    this.#client.resetAndDestroy();
    plan.done();
  }

  /** What came before the statement still reaches the server; the statement does not. */
  #cutBefore(plan: PlannedCut, before: Buffer): void {
    this.#toServer.push(() => {
      this.#write('toServer', before);
      this.#server?.end();
      this.#client.destroy();
      plan.done();
    });
  }

  #write(direction: 'toServer' | 'toClient', chunk: Buffer): void {
    const [from, to] = direction === 'toServer' ? [this.#client, this.#server] : [this.#server, this.#client];
    if (to === undefined || to.destroyed || chunk.length === 0) return;
    this.#owner.passed(direction, chunk.length);
    if (to.write(chunk)) return;
    from?.pause();
    to.once('drain', () => from?.resume());
  }
}
