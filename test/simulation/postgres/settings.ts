import { type LimitName, limitNames } from './limits.ts';
import { SqlError } from './sql-error.ts';

type Kind = 'text' | 'truth' | 'ms' | 'zone' | 'isolation' | 'fixed';

interface Known {
  readonly name: string;
  readonly kind: Kind;
  readonly initially: string;
  /** The server says by itself when it changes (ParameterStatus). */
  readonly isReported?: true;
}

const text = (name: string, initially: string): Known => ({ name, kind: 'text', initially });
const truth = (name: string): Known => ({ name, kind: 'truth', initially: 'off' });
const isolation = (name: string): Known => ({ name, kind: 'isolation', initially: 'read committed' });
const fixed = (name: string, initially: string): Known => ({ name, kind: 'fixed', initially });
const reported = (known: Known): Known => ({ ...known, isReported: true });

/** Those of a transaction begin with it: their values are those of the next transaction. */
const all: readonly Known[] = [
  reported(text('client_encoding', 'UTF8')),
  reported(text('DateStyle', 'ISO, MDY')),
  reported(text('IntervalStyle', 'postgres')),
  reported(text('standard_conforming_strings', 'on')),
  reported(fixed('integer_datetimes', 'on')),
  reported(fixed('server_version', '18.1')),
  reported({ name: 'TimeZone', kind: 'zone', initially: 'UTC' }),
  reported(truth('default_transaction_read_only')),
  reported(text('application_name', '')),
  reported(text('search_path', '"$user", public')),
  text('role', 'none'),
  truth('default_transaction_deferrable'),
  isolation('default_transaction_isolation'),
  truth('transaction_read_only'),
  truth('transaction_deferrable'),
  isolation('transaction_isolation'),
  ...[...limitNames, 'idle_session_timeout', 'transaction_timeout'].map(
    (name): Known => ({ name, kind: 'ms', initially: '0' }),
  ),
];

const known: ReadonlyMap<string, Known> = new Map(all.map(each => [each.name.toLowerCase(), each]));
const custom = /^[a-z_][\w$]*(?:\.[a-z_][\w$]*)+$/i;

type Values = ReadonlyMap<string, string>;

/** What is set now, and what of it stays when the transaction is committed. */
interface State {
  readonly now: Values;
  readonly lasting: Values;
}

const nothing: Values = new Map();

/** The settings of one session. Each is set for the session or for its transaction, and undone with it, or with a savepoint. */
export class Settings {
  /** What they are without SET. */
  readonly #initially = new Map<string, string>();
  /** Names with a dot that were set once: they stay known, without a value. */
  readonly #named = new Set<string>();
  #state: State = { now: nothing, lasting: nothing };
  #committed: Values = nothing;
  readonly #reported = new Map<string, string>();
  #areReported = false;

  /** As the client wants it from the start. */
  begin(name: string, value: string): void {
    this.#initially.set(name.toLowerCase(), canonical(name, value));
    this.#areReported = false;
  }

  /** Undefined for one that is not known. */
  get(name: string): string | undefined {
    const key = name.toLowerCase();
    const { now } = this.#state;
    return now.get(key) ?? this.initially(key);
  }

  /** What RESET goes back to. */
  initially(name: string): string | undefined {
    const key = name.toLowerCase();
    return this.#initially.get(key) ?? known.get(key)?.initially ?? (this.#named.has(key) ? '' : undefined);
  }

  /** In ms. */
  limit(name: LimitName): number {
    const { now } = this.#state;
    return Number((now.size === 0 ? undefined : now.get(name)) ?? this.#initially.get(name) ?? 0);
  }

  /** Null goes back to what it was without SET. @throws SqlError */
  set(name: string, value: string | null, isLocal: boolean): void {
    const key = name.toLowerCase();
    const of = knownOf(name);
    if (of.kind === 'fixed') throw new SqlError('55P02', `parameter "${name}" cannot be changed`);
    const to = value === null ? undefined : canonical(name, value);
    if (!known.has(key)) this.#named.add(key);
    const { now, lasting } = this.#state;
    this.#move({ now: changed(now, key, to), lasting: isLocal ? lasting : changed(lasting, key, to) });
  }

  resetAll(): void {
    const kept = new Map([...this.#state.lasting].filter(([key]) => key === 'role'));
    this.#move({ now: kept, lasting: kept });
  }

  /** Gives what undoes all that comes after this moment. */
  mark(): () => void {
    const state = this.#state;
    return () => this.#move(state);
  }

  commit(): void {
    const { now, lasting } = this.#state;
    this.#committed = lasting;
    if (now !== lasting) this.#move({ now: lasting, lasting });
  }

  abort(): void {
    const committed = this.#committed;
    if (this.#state.now !== committed) this.#move({ now: committed, lasting: committed });
  }

  #move(to: State): void {
    this.#state = to;
    this.#areReported = false;
  }

  /** Names and values that the client does not know yet. */
  *unreported(): Iterable<readonly [name: string, value: string]> {
    if (this.#areReported) return;
    this.#areReported = true;
    for (const { name, isReported } of all) {
      const value = this.get(name) ?? '';
      if (isReported !== true || this.#reported.get(name) === value) continue;
      this.#reported.set(name, value);
      yield [name, value];
    }
  }

  /** As SHOW gives it. */
  shown(name: string): string | undefined {
    const value = this.get(name);
    return value !== undefined && known.get(name.toLowerCase())?.kind === 'ms' ? withUnit(Number(value)) : value;
  }

  *[Symbol.iterator](): Iterator<{ readonly name: string; readonly value: string; readonly initially: string }> {
    for (const { name } of all) yield { name, value: this.get(name) ?? '', initially: this.initially(name) ?? '' };
  }
}

function changed(values: Values, key: string, to: string | undefined): Values {
  const next = new Map(values);
  if (to === undefined) next.delete(key);
  else next.set(key, to);
  return next;
}

function knownOf(name: string): Known {
  const found = known.get(name.toLowerCase());
  if (found !== undefined) return found;
  if (!name.includes('.')) throw unknownSetting(name);
  if (!custom.test(name)) throw new SqlError('42602', `invalid configuration parameter name "${name}"`);
  return text(name, '');
}

export function unknownSetting(name: string): SqlError {
  return new SqlError('42704', `unrecognized configuration parameter "${name}"`);
}

/** The value as the server keeps it. @throws SqlError */
export function canonical(setting: string, value: string): string {
  const { name, kind } = knownOf(setting);
  const invalid = () => new SqlError('22023', `invalid value for parameter "${name}": "${value}"`);
  switch (kind) {
    case 'truth': {
      const read = truthOf(value);
      if (read === undefined) throw new SqlError('22023', `parameter "${name}" requires a Boolean value`);
      return read ? 'on' : 'off';
    }
    case 'ms': {
      const ms = msOf(value);
      if (ms === undefined) throw invalid();
      return String(ms);
    }
    case 'isolation': {
      const level = value.toLowerCase();
      if (!['read uncommitted', 'read committed', 'repeatable read', 'serializable'].includes(level)) throw invalid();
      return level;
    }
    case 'zone':
      if (!isZone(value)) throw invalid();
      return value;
    default:
      return value;
  }
}

function truthOf(value: string): boolean | undefined {
  const read = value.toLowerCase();
  const means = (...words: readonly string[]) => read !== '' && words.some(word => word.startsWith(read));
  if (read === 'on' || read === '1' || means('true', 'yes')) return true;
  if (read === '0' || means('false', 'no') || ('off'.startsWith(read) && read.length > 1)) return false;
  return undefined;
}

const units: readonly (readonly [unit: string, ms: number])[] = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
  ['ms', 1],
];

function msOf(value: string): number | undefined {
  const [, count, unit = 'ms'] = /^\s*(\d+)\s*(d|h|min|s|ms)?\s*$/.exec(value) ?? [];
  const factor = units.find(([name]) => name === unit)?.[1] ?? 1;
  const ms = Number(count) * factor;
  return count === undefined || ms > 2 ** 31 - 1 ? undefined : ms;
}

/** In the largest unit that leaves no rest. */
function withUnit(ms: number): string {
  const [unit, factor] = units.find(([, each]) => ms % each === 0) ?? ['ms', 1];
  return ms === 0 ? '0' : `${ms / factor}${unit}`;
}

function isZone(name: string): boolean {
  return Intl.supportedValuesOf('timeZone').includes(name) || ['UTC', 'GMT'].includes(name);
}
