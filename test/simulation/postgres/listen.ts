import type { Backend } from './backend.ts';
import { SqlError } from './sql-error.ts';
import type { Words } from './words.ts';

/** LISTEN, UNLISTEN (of all channels without a name) and NOTIFY. */
export type ListenStatement =
  | { readonly does: 'listen'; readonly channel: string }
  | { readonly does: 'unlisten'; readonly channel: string | undefined }
  | { readonly does: 'notify'; readonly channel: string; readonly payload: string };

/** A name that is longer is cut. */
const longestNameBytes = 63;

/** A message on its way to one who listens. */
export interface News extends Message {
  /** The process that has sent it. */
  readonly from: number;
}

export interface Message {
  readonly channel: string;
  readonly payload: string;
}

/** Undefined for another statement. */
export function readListen(words: Words): ListenStatement | undefined {
  if (words.skips('listen')) return { does: 'listen', channel: words.name() };
  if (words.skips('unlisten', '*')) return { does: 'unlisten', channel: undefined };
  if (words.skips('unlisten')) return { does: 'unlisten', channel: words.name() };
  if (!words.skips('notify')) return undefined;
  const channel = words.name();
  return { does: 'notify', channel, payload: words.skips(',') ? words.text() : '' };
}

/** Up to the end of a character. */
function cut(name: string): string {
  const whole = Buffer.from(name);
  let end = Math.min(whole.length, longestNameBytes);
  while (end < whole.length && ((whole[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return whole.subarray(0, end).toString();
}

export function executeListen(on: Backend, statement: ListenStatement): string {
  const { does, channel } = statement;
  if (does !== 'unlisten') assertPrimary(on, does);
  if (does === 'notify') on.channels.send(checked({ ...statement, channel: named(on, channel) }));
  else on.channels.want(does, channel === undefined ? undefined : named(on, channel));
  return does.toUpperCase();
}

/** As the function `pg_notify` does it, which cuts no name. */
export function notify(on: Backend, channel: string | null, payload: string | null): void {
  assertPrimary(on, 'notify');
  on.channels.send(checked({ channel: channel ?? '', payload: payload ?? '' }));
}

function assertPrimary(on: Backend, does: string): void {
  if (on.server.isStandby) throw new SqlError('25006', `cannot execute ${does.toUpperCase()} during recovery`);
}

function named(on: Backend, name: string): string {
  const kept = cut(name);
  if (kept !== name) on.remark('NOTICE', '42622', `identifier "${name}" will be truncated to "${kept}"`);
  return kept;
}

function checked({ channel, payload }: Message): Message {
  const problem = (message: string) => new SqlError('22023', message);
  if (channel === '') throw problem('channel name cannot be empty');
  if (Buffer.byteLength(channel) > longestNameBytes) throw problem('channel name too long');
  if (Buffer.byteLength(payload) >= 8_000) throw problem('payload string too long');
  return { channel, payload };
}

/** The channels of one session, and what its transaction has said about channels so far. */
export class Channels {
  #listening: ReadonlySet<string> = new Set();
  #wanted: { readonly does: 'listen' | 'unlisten'; readonly channel: string | undefined }[] = [];
  #unsent: Message[] = [];

  /** Those that its committed transactions listen to. */
  get listening(): ReadonlySet<string> {
    return this.#listening;
  }

  get hasUnsent(): boolean {
    return this.#unsent.length > 0;
  }

  want(does: 'listen' | 'unlisten', channel: string | undefined): void {
    this.#wanted.push({ does, channel });
  }

  send(message: Message): void {
    this.#unsent.push(message);
  }

  /** Gives what undoes all that comes after this moment. */
  mark(): () => void {
    const [wanted, unsent] = [this.#wanted.length, this.#unsent.length];
    return () => {
      this.#wanted.length = wanted;
      this.#unsent.length = unsent;
    };
  }

  /** Listens as the transaction wanted; gives its messages in order, each once. */
  commit(): readonly Message[] {
    if (this.#wanted.length === 0 && this.#unsent.length === 0) return [];
    for (const { does, channel } of this.#wanted.splice(0)) this.#listen(does, channel);
    const messages = new Map<string, Message>();
    for (const message of this.#unsent.splice(0)) {
      const key = `${message.channel}\0${message.payload}`;
      if (!messages.has(key)) messages.set(key, message);
    }
    return [...messages.values()];
  }

  abort(): void {
    this.#wanted.length = 0;
    this.#unsent.length = 0;
  }

  #listen(does: 'listen' | 'unlisten', channel: string | undefined): void {
    const listening = new Set(channel === undefined ? [] : this.#listening);
    if (channel !== undefined && does === 'listen') listening.add(channel);
    if (channel !== undefined && does === 'unlisten') listening.delete(channel);
    this.#listening = listening;
  }
}
