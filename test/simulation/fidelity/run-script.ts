import type { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import Cursor from 'pg-cursor';
import type { Script, Step } from './scripts.ts';

/** What can be seen of one step from outside. */
export interface Observed {
  readonly step: string;
  readonly rows?: readonly (readonly unknown[])[];
  readonly tag?: string;
  readonly columns?: readonly string[];
  readonly refused?: Refused;
  readonly isLost?: true;
  /** Of a step that blocks: its answer came after what it waited for. */
  readonly hasWaited?: boolean;
  readonly status: string | null;
  /** What came by itself until then: messages of channels, warnings, settings. */
  readonly came?: readonly string[];
}

export interface Refused {
  readonly state: string;
  readonly severity: string;
  readonly message: string;
  /** What the refusal names. */
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
}

/** How a client waits; virtual time passes in another way. */
export interface Waits {
  sleep(ms: number): Promise<void>;
  /** Resolves when the backend waits for a lock. */
  untilBlocked(pid: number): Promise<void>;
}

/** Runs a script over clients of pg, on whatever server the configuration leads to. */
export async function runScript(script: Script, config: pg.ClientConfig, waits: Waits): Promise<readonly Observed[]> {
  const clients = new Map<string, pg.Client>();
  const waiting = new Map<string, Promise<Observed>>();
  const observed: Observed[] = [];
  const came = new Map<string, string[]>();
  for (const name of sessionsOf(script)) {
    const client = new pg.Client(config);
    client.on('error', () => {});
    await client.connect();
    clients.set(name, client);
    came.set(name, whatComes(client));
  }
  for (const step of script.steps) {
    if ('waitMs' in step) await waits.sleep(step.waitMs);
    else if ('closes' in step) await clients.get(step.closes)?.end();
    else if ('answerOf' in step) {
      const answer = await waiting.get(step.answerOf);
      if (answer !== undefined) observed.push(answer);
    } else {
      const client = clients.get(step.on);
      if (client === undefined) continue;
      const answer = observe(client, step, came.get(step.on) ?? []);
      if (step.blocks === true) {
        const settled = answer.then(() => true);
        await waits.untilBlocked(Number(Reflect.get(client, 'processID')));
        const hasWaited = !(await Promise.race([settled, Promise.resolve(false)]));
        waiting.set(
          step.on,
          answer.then(seen => ({ ...seen, hasWaited })),
        );
      } else observed.push(await answer);
    }
  }
  for (const client of clients.values()) await client.end().catch(() => {});
  return script.inAnyOrder === true ? observed.map(withoutSession).toSorted(byText) : observed;
}

function sessionsOf({ steps }: Script): ReadonlySet<string> {
  return new Set(steps.flatMap(step => ('on' in step ? [step.on] : [])));
}

/** Values as the server has sent them. */
const asSent = { getTypeParser: () => (text: string | Buffer) => text };

/** It is added to as long as the client is connected. */
function whatComes(client: pg.Client): string[] {
  const all: string[] = [];
  const own = Number(Reflect.get(client, 'processID'));
  client.on('notification', ({ channel, payload = '', processId }) => {
    const sender = processId === own ? 'itself' : 'another';
    all.push(`${channel}: ${payload.slice(0, 20)}, ${payload.length} characters from ${sender}`);
  });
  client.on('notice', ({ severity, code }) => void all.push(`${severity} ${code}`));
  const connection: EventEmitter = Reflect.get(client, 'connection');
  connection.on('parameterStatus', ({ parameterName, parameterValue }) => {
    all.push(`${parameterName} is ${parameterValue}`);
  });
  return all;
}

async function observe(client: pg.Client, step: Step, came: string[]): Promise<Observed> {
  const observed = await answerOf(client, step);
  return came.length === 0 ? observed : { ...observed, came: came.splice(0) };
}

async function answerOf(client: pg.Client, { on, sql, values = [], name, sends, reads }: Step): Promise<Observed> {
  const step = `${on}: ${sql.slice(0, 60)}`;
  const status = (): string | null => Reflect.get(client, '_txStatus');
  const settled = settledAgain(client);
  try {
    if (sends !== undefined) return { step, tag: `COPY ${await send(client, sql, sends)}`, status: status() };
    if (reads !== undefined) return { step, ...(await readSome(client, sql, reads)), status: status() };
    const query = { text: sql, name, ...(values.length > 0 && { values: [...values] }) };
    const result = await client.query({ ...query, rowMode: 'array', types: asSent });
    const results: readonly pg.QueryArrayResult[] = Array.isArray(result) ? result : [result];
    return {
      step,
      rows: results.flatMap(({ rows }) => rows),
      tag: results.map(({ command, rowCount }) => `${command} ${rowCount ?? ''}`.trim()).join('; '),
      columns: results.flatMap(({ fields }) => (fields ?? []).map(({ name, dataTypeID }) => `${name} ${dataTypeID}`)),
      status: status(),
    };
  } catch (error) {
    if (!(error instanceof pg.DatabaseError)) return { step, isLost: true, status: null };
    // Its severity is that of the message; after a FATAL one nothing follows.
    await settled;
    return { step, refused: refusedBy(error), status: status() };
  }
}

function refusedBy(error: pg.DatabaseError): Refused {
  const { code = '', severity = '', message, schema, table, column, constraint } = error;
  return {
    state: code,
    severity,
    message,
    ...(schema !== undefined && { schema }),
    ...(table !== undefined && { table }),
    ...(column !== undefined && { column }),
    ...(constraint !== undefined && { constraint }),
  };
}

async function send(client: pg.Client, sql: string, { pieces, fails }: NonNullable<Step['sends']>): Promise<number> {
  const copy = client.query(from(sql));
  const source = async function* () {
    yield* pieces;
    if (fails) throw new Error('the source fails');
  };
  await pipeline(Readable.from(source()), copy);
  return copy.rowCount;
}

async function readSome(
  client: pg.Client,
  sql: string,
  { most, times, pauseMs }: NonNullable<Step['reads']>,
): Promise<Pick<Observed, 'rows' | 'tag'>> {
  const cursor = client.query(new Cursor(sql, [], { rowMode: 'array' }));
  const rows: unknown[][] = [];
  for (let time = 0; time < times; time++) {
    rows.push(await cursor.read(most));
    if (pauseMs !== undefined) await new Promise(resolve => setTimeout(resolve, pauseMs));
  }
  await cursor.close();
  return { rows };
}

/**
 * Resolves at the next ReadyForQuery (pg: `drain`), or at the end of the connection. pg rejects at the error, and knows the
 * status of the transaction only then.
 */
function settledAgain(client: pg.Client): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const settle = () => {
    client.off('drain', settle).off('end', settle);
    resolve();
  };
  client.once('drain', settle).once('end', settle);
  return promise;
}

function withoutSession(observed: Observed): Observed {
  return { ...observed, step: observed.step.slice(3), status: null };
}

function byText(one: Observed, other: Observed): number {
  return JSON.stringify(one).localeCompare(JSON.stringify(other));
}
