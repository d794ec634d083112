import type { ReceivedAnswer, SentMessage } from './wire-session.js';

/** What a client sent before it heard anything of the answers, and waits for together. */
export interface RoundTrip {
  /** Counts the connections of the proxy from 1. */
  readonly connection: number;
  /** What the server had to execute, in order. */
  readonly statements: readonly string[];
  readonly sentAtMs: number;
  /** When the last answer was handed to the client; undefined while it waits. */
  readonly answeredAtMs: number | undefined;
}

/**
 * The round trips that began since the recording did, on all connections. Starting up, TLS, passwords, cancelling and
 * closing are none. What arrives after the first answer was handed to the client begins a new one: give the proxy
 * some `latencyMs` when the client is another process, so that nothing depends on who is faster.
 */
export class WireRecording {
  readonly trips: RoundTrip[] = [];

  get roundTrips(): number {
    return this.trips.length;
  }

  /** The statements of each round trip. */
  get statements(): string[][] {
    return this.trips.map(trip => [...trip.statements]);
  }

  clear(): void {
    this.trips.length = 0;
  }
}

interface OpenTrip {
  readonly connection: number;
  readonly statements: string[];
  readonly sentAtMs: number;
  answeredAtMs: number | undefined;
}

/** Counts the round trips of one connection. */
export class WireCounter {
  readonly #connection: number;
  readonly #began: (trip: RoundTrip) => void;
  #unsent: string[] = [];
  #trip: OpenTrip | undefined;
  #waitsFor = 0;
  #wasAnswered = false;

  constructor(connection: number, began: (trip: RoundTrip) => void) {
    this.#connection = connection;
    this.#began = began;
  }

  sent(message: SentMessage): void {
    if (message.statement !== undefined) this.#unsent.push(message.statement);
    if (!message.endsGroup) return;
    if (this.#trip === undefined || this.#wasAnswered) this.#begin();
    this.#trip?.statements.push(...this.#unsent);
    this.#unsent = [];
    this.#waitsFor++;
  }

  /** Called when the answers are handed to the client, not when the server gives them. */
  delivered(answers: readonly ReceivedAnswer[]): void {
    if (this.#trip === undefined || this.#waitsFor === 0) return;
    this.#wasAnswered = true;
    this.#waitsFor -= answers.length;
    if (this.#waitsFor === 0) this.#trip.answeredAtMs = performance.now();
  }

  #begin(): void {
    this.#trip = {
      connection: this.#connection,
      statements: [],
      sentAtMs: performance.now(),
      answeredAtMs: undefined,
    };
    this.#wasAnswered = false;
    this.#began(this.#trip);
  }
}
