import type { Clock } from '@keelson/core';
import type { AcquireOptions, BatchOutcome, Row, Statement } from './driver.js';
import { lastingPartOf, leavesState } from './lasting-state.js';

/** Asks the database, over whichever connection; in one round trip. */
type Ask = (statements: readonly Statement[]) => Promise<BatchOutcome['results']>;

/** Who else may have defined a function meanwhile is found out this often, while the database is used. */
const learnAgainAfterMs = 30_000;
/** A function that calls one that calls one, and so on. */
const deepest = 20;

/**
 * The functions, procedures, tables and views of a database whose use may leave a state on the connection, by their names:
 * a function that calls `set_config(…, false)`, a table whose trigger does, a view that calls the function. Most databases
 * have none; then no statement is looked at.
 */
export class LastingNames {
  readonly #clock: Pick<Clock, 'now' | 'schedule'>;
  readonly #ask: Ask;
  #pattern: RegExp | undefined;
  /** Undefined before it was first asked for. */
  #learnedAt: number | undefined;
  #learning: Promise<void> | undefined;
  /** How often this service has defined something, and how often it had when the names were last asked for. */
  #definitions = 0;
  #knownDefinitions = 0;

  constructor(clock: Pick<Clock, 'now' | 'schedule'>, ask: Ask) {
    this.#clock = clock;
    this.#ask = ask;
  }

  /** Whether `sql` may leave a state on its connection, by itself or by what it calls. */
  leavesState(sql: string): boolean {
    return leavesState(sql) || this.nameIn(sql) !== undefined;
  }

  /** What `sql` uses that may leave a state; undefined when nothing is seen. */
  nameIn(sql: string): string | undefined {
    if (this.#pattern === undefined) return undefined;
    return this.#pattern.exec(sql)?.[0];
  }

  /**
   * Call this when the service has created or changed a function, table or view. The next `known` then asks the database for
   * the names again, and the loan waits for them.
   */
  outdate(): void {
    this.#definitions += 1;
  }

  /**
   * Asks the database for the names. Pass `answer` when the database has already answered `lastingQuestion`. Resolves when
   * the names are known, or could not be read; never rejects.
   */
  learn(answer?: Row): Promise<void> {
    this.#learning ??= this.#askForNames(answer).finally(() => {
      this.#learning = undefined;
    });
    return this.#learning;
  }

  /**
   * Call this before each loan. Returns a promise to wait for when the service has defined something since the names were
   * last read, which is rare; otherwise undefined. The promise also resolves at the deadline of the loan and when the loan is
   * aborted; then the loan fails.
   */
  known(loan: Pick<AcquireOptions, 'deadline' | 'signal'>): Promise<void> | undefined {
    if (this.#learnedAt === undefined) return undefined;
    if (this.#definitions > this.#knownDefinitions) return this.#waitFor(this.#catchUp(), loan);
    if (this.#clock.now() - this.#learnedAt > learnAgainAfterMs) void this.learn();
    return undefined;
  }

  /** What is being asked now may have been asked before the definition. */
  async #catchUp(): Promise<void> {
    const wanted = this.#definitions;
    while (this.#knownDefinitions < wanted) await this.learn();
  }

  #waitFor(names: Promise<void>, { deadline, signal }: Pick<AcquireOptions, 'deadline' | 'signal'>): Promise<void> {
    return new Promise(resolve => {
      const end = () => {
        timer.cancel();
        signal?.removeEventListener('abort', end);
        resolve();
      };
      const timer = this.#clock.schedule(deadline.remainingMs(), end, { keepAlive: true });
      signal?.addEventListener('abort', end);
      if (signal?.aborted === true) end();
      void names.then(end);
    });
  }

  async #askForNames(answer?: Row): Promise<void> {
    const definitions = this.#definitions;
    this.#learnedAt = this.#clock.now();
    try {
      const names = await this.#namesOf(answer ?? (await this.#ask([{ sql: lastingQuestion }]))[0]?.rows[0]);
      this.#pattern = names.size === 0 ? undefined : patternOf(names);
    } catch {
      // An engine without these tables, or no connection now: what was known stays.
    }
    this.#knownDefinitions = definitions;
  }

  async #namesOf(answer?: Row): Promise<ReadonlySet<string>> {
    const found: unknown = answer?.found;
    const names = new Set<string>();
    for (const source of Array.isArray(found) ? found : []) {
      const { name, body }: { name?: unknown; body?: unknown } = Object(source);
      if (typeof name === 'string' && (typeof body !== 'string' || bodyLeavesState(body))) names.add(name);
    }
    for (let depth = 0, known = 0; names.size > known && depth < deepest; depth++) {
      known = names.size;
      const [users] = await this.#ask([{ sql: usersOf, parameters: [[...names]] }]);
      for (const { name } of users?.rows ?? []) if (typeof name === 'string') names.add(name);
    }
    return names;
  }
}

/** Whether a function with this body may leave a state. */
export function bodyLeavesState(body: string): boolean {
  return lastingPartOf(body) !== undefined;
}

function patternOf(names: ReadonlySet<string>): RegExp {
  const longestFirst = [...names].sort((one, other) => other.length - one.length).map(escaped);
  return new RegExp(String.raw`(?<![\w$\u0080-\uffff])(?:${longestFirst.join('|')})(?![\w$\u0080-\uffff])`, 'i');
}

function escaped(name: string): string {
  return name.replaceAll(/[\\^$.*+?()[\]{}|/-]/g, '\\$&');
}

/** Expressions as the server keeps them: of rules and views, defaults, policies, checks. `:funcid 1234` is a call. */
const expressions = `(
  select ev_class as relation, ev_action::text as tree from pg_catalog.pg_rewrite where ev_class >= 16384
  union all select adrelid, adbin::text from pg_catalog.pg_attrdef
  union all select polrelid, concat(polqual::text, polwithcheck::text) from pg_catalog.pg_policy
  union all select conrelid, conbin::text from pg_catalog.pg_constraint where conbin is not null
) as expression`;

/** Of the database itself: not what the server brings. */
const ownFunctions = `pg_catalog.pg_proc as own
  where own.oid >= 16384
  and own.prolang not in (select oid from pg_catalog.pg_language where lanname in ('internal', 'c'))`;

const builtIn = `(select ':funcid (?:' || string_agg(oid::text, '|') || ') ' from pg_catalog.pg_proc
  where oid < 16384 and (proname in ('set_config', 'setseed') or proname ~ '^pg_(try_)?advisory_lock'))`;

/**
 * The query for functions and relations that leave a state by themselves, or may. Returns one row; `bodyLeavesState` reads
 * the bodies of the functions in it.
 */
export const lastingQuestion = `
  select coalesce(json_agg(source), '[]') as found from (
  select own.proname::text as name, own.prosrc as body from ${ownFunctions}
    and own.prosrc ~* 'set_config|advisory_lock|pg_settings|setseed|set_limit|dblink_connect|temp|\\mhold\\M|\\mset\\M|\\m(?:l(?:isten|oad)|prepare)\\M'
  union
  select own.proname::text, null from ${ownFunctions}
    and to_jsonb(own)->>'prosqlbody' ~ ${builtIn}
  union
  select relation.relname::text, null from ${expressions}
    join pg_catalog.pg_class as relation on relation.oid = expression.relation and relation.oid >= 16384
    where expression.tree ~ ${builtIn}
  ) as source`;

/** What uses one of the names in $1: functions that mention it; tables and views by trigger, expression, cascade or inheritance. */
const usersOf = `
  with functions as (select oid, proname from pg_catalog.pg_proc where oid >= 16384 and proname = any($1::text[])),
  relations as (select oid from pg_catalog.pg_class where oid >= 16384 and relname = any($1::text[])),
  pattern as (
    select '\\m(?:' || string_agg(regexp_replace(name, '(\\W)', '\\\\\\1', 'g'), '|') || ')\\M' as text,
      ':(?:funcid|relid) (?:' || coalesce((select string_agg(oid::text, '|') from (
        select oid from functions union all select oid from relations) as used), '0') || ') ' as tree
    from unnest($1::text[]) as name
  )
  select own.proname::text as name from ${ownFunctions}
    and (own.prosrc ~* (select text from pattern) or to_jsonb(own)->>'prosqlbody' ~ (select tree from pattern))
  union
  select relation.relname::text from pg_catalog.pg_trigger as used
    join functions on functions.oid = used.tgfoid
    join pg_catalog.pg_class as relation on relation.oid = used.tgrelid
  union
  select relation.relname::text from ${expressions}
    join pg_catalog.pg_class as relation on relation.oid = expression.relation and relation.oid >= 16384
    where expression.tree ~ (select tree from pattern)
  union
  select parent.relname::text from pg_catalog.pg_constraint as used
    join pg_catalog.pg_class as parent on parent.oid = used.confrelid
    where used.contype = 'f' and (used.confdeltype <> 'a' or used.confupdtype <> 'a')
    and used.conrelid in (select oid from relations)
  union
  select parent.relname::text from pg_catalog.pg_inherits as used
    join pg_catalog.pg_class as parent on parent.oid = used.inhparent
    where used.inhrelid in (select oid from relations)`;
