import { type Frame, FrameReader } from './frame-reader.js';

/** A message that makes the server run something, or ends a group of messages. */
export interface SentMessage {
  /** What the server has to execute; undefined for a message that only ends a group. */
  readonly statement?: string;
  /** Query, Sync or function call: the server answers all since the last such message, and ends with ReadyForQuery. */
  readonly endsGroup: boolean;
  /** Counts the groups of the connection from 0. */
  readonly group: number;
  /** Where the message starts in the chunk. */
  readonly start: number;
}

export interface ReceivedAnswer {
  /** The group whose ReadyForQuery this is. */
  readonly group: number;
  /** Where the next answer starts in the chunk. */
  readonly end: number;
}

/** Understands both directions of one connection, from its first byte on. */
export class WireSession {
  readonly #frontend = new FrameReader('frontend', 'QPBE');
  readonly #backend = new FrameReader('backend', '');
  readonly #statements = new Map<string, string>();
  readonly #portals = new Map<string, string>();
  #isReady = false;
  #sentGroups = 0;
  #answeredGroups = 0;
  #isCancelRequest = false;

  get isCancelRequest(): boolean {
    return this.#isCancelRequest;
  }

  get answeredGroups(): number {
    return this.#answeredGroups;
  }

  sent(chunk: Buffer): SentMessage[] {
    const messages = this.#frontend.push(chunk).flatMap(frame => this.#understand(frame));
    if (this.#frontend.isOpaque) this.#becomeOpaque();
    return messages;
  }

  /** Startup is no answer: the first ReadyForQuery of the connection is left out. */
  received(chunk: Buffer): ReceivedAnswer[] {
    const answers: ReceivedAnswer[] = [];
    for (const { type, body, end } of this.#backend.push(chunk)) {
      if (type === 'tls?' && body.toString() !== 'N') this.#becomeOpaque();
      if (type !== 'Z') continue;
      if (this.#isReady) answers.push({ group: this.#answeredGroups++, end });
      this.#isReady = true;
    }
    return answers;
  }

  #understand(frame: Frame): SentMessage[] {
    const { type, body, start } = frame;
    if (type === 'ssl') this.#backend.expectByte();
    if (type === 'cancel') this.#isCancelRequest = true;
    if (type === 'P') this.#parse(body);
    if (type === 'B') this.#bind(body);
    const endsGroup = type === 'Q' || type === 'S' || type === 'F';
    const group = endsGroup ? this.#sentGroups++ : this.#sentGroups;
    if (type === 'Q') return [{ statement: stringAt(body, 0).text, endsGroup, group, start }];
    if (type === 'E') return [{ statement: this.#executed(body), endsGroup, group, start }];
    return endsGroup ? [{ endsGroup, group, start }] : [];
  }

  #parse(body: Buffer): void {
    const name = stringAt(body, 0);
    this.#statements.set(name.text, stringAt(body, name.next).text);
  }

  #bind(body: Buffer): void {
    const portal = stringAt(body, 0);
    this.#portals.set(portal.text, this.#statements.get(stringAt(body, portal.next).text) ?? '');
  }

  #executed(body: Buffer): string {
    return this.#portals.get(stringAt(body, 0).text) ?? '';
  }

  #becomeOpaque(): void {
    this.#frontend.makeOpaque();
    this.#backend.makeOpaque();
  }
}

function stringAt(body: Buffer, start: number): { text: string; next: number } {
  const end = body.indexOf(0, start);
  return { text: body.toString('utf8', start, end), next: end + 1 };
}
