import type { Script, Step } from './scripts.ts';

const isolations = ['read committed', 'repeatable read', 'serializable'] as const;
type Isolation = (typeof isolations)[number];

const on =
  (session: string) =>
  (sql: string, ...values: readonly string[]): Step => ({ on: session, sql, values });
const a = on('a');
const b = on('b');
const c = on('c');
const blocked = (step: Step): Step => ({ ...step, blocks: true });

const put =
  'insert into list (key, items) values ($1, $2) on conflict (key) do update set items = list.items || excluded.items';
const read = "select items from list where key = $1 and $2 <> ''";
const set = 'update list set items = $1 where key = $2';
const note = 'insert into ledger (unit) values ($1)';
const units = 'select unit from ledger where unit = $1';

type Steps = Script['steps'];

/** One anomaly: what two or three transactions do, with keys and units that no other script has. */
interface Anomaly {
  readonly name: string;
  readonly steps: (keys: { readonly x: string; readonly y: string; readonly unit: string }) => Steps;
}

/** Those of Hermitage (github.com/ept/hermitage), in its order and under its names, on the tables that the simulation has. */
const anomalies: readonly Anomaly[] = [
  {
    name: 'G0, dirty write',
    steps: ({ x, y }) => [
      a(set, 'u101.1,', x),
      blocked(b(set, 'u102.1,', x)),
      a(set, 'u101.2,', y),
      a('commit'),
      { answerOf: 'b' },
      a(read, x, 'u103'),
      b(set, 'u102.2,', y),
      b('commit'),
      a(read, x, 'u103'),
      a(read, y, 'u103'),
    ],
  },
  {
    name: 'G1a, aborted read',
    steps: ({ x }) => [a(set, 'u101.1,', x), b(read, x, 'u102'), a('rollback'), b(read, x, 'u102'), b('commit')],
  },
  {
    name: 'G1b, intermediate read',
    steps: ({ x }) => [
      a(set, 'u101.1,', x),
      b(read, x, 'u102'),
      a(set, 'u101.2,', x),
      a('commit'),
      b(read, x, 'u102'),
      b('commit'),
    ],
  },
  {
    name: 'G1c, circular information flow',
    steps: ({ x, y }) => [
      a(set, 'u101.1,', x),
      b(set, 'u102.1,', y),
      a(read, y, 'u101'),
      b(read, x, 'u102'),
      a('commit'),
      b('commit'),
    ],
  },
  {
    name: 'OTV, observed transaction vanishes',
    steps: ({ x, y }) => [
      a(set, 'u101.1,', x),
      a(set, 'u101.2,', y),
      blocked(b(set, 'u102.1,', x)),
      a('commit'),
      { answerOf: 'b' },
      c(read, x, 'u103'),
      b(set, 'u102.2,', y),
      c(read, y, 'u103'),
      b('commit'),
      c(read, x, 'u103'),
      c(read, y, 'u103'),
      c('commit'),
    ],
  },
  {
    name: 'PMP, predicate-many-preceders',
    steps: ({ unit }) => [a(units, unit), b(note, unit), b('commit'), a(units, unit), a('commit')],
  },
  {
    name: 'P4, lost update',
    steps: ({ x }) => [
      a(read, x, 'u101'),
      b(read, x, 'u102'),
      a(set, 'u101.1,', x),
      blocked(b(set, 'u102.1,', x)),
      a('commit'),
      { answerOf: 'b' },
      b('commit'),
      a(read, x, 'u103'),
    ],
  },
  {
    name: 'G-single, read skew',
    steps: ({ x, y }) => [
      a(read, x, 'u101'),
      b(read, x, 'u102'),
      b(read, y, 'u102'),
      b(set, 'u102.1,', x),
      b(set, 'u102.2,', y),
      b('commit'),
      a(read, y, 'u101'),
      a('commit'),
    ],
  },
  {
    name: 'G-single, read skew with a write',
    steps: ({ x, y }) => [
      a(read, x, 'u101'),
      b(set, 'u102.1,', x),
      b(set, 'u102.2,', y),
      b('commit'),
      a(set, 'u101.1,', y),
      a('commit'),
      a(read, y, 'u103'),
    ],
  },
  {
    name: 'G2-item, write skew',
    steps: ({ x, y }) => [
      a(read, x, 'u101'),
      a(read, y, 'u101'),
      b(read, x, 'u102'),
      b(read, y, 'u102'),
      a(set, 'u101.1,', x),
      b(set, 'u102.1,', y),
      a('commit'),
      b('commit'),
    ],
  },
  {
    name: 'G2, anti-dependency cycle over a predicate',
    steps: ({ unit }) => [a(units, unit), b(units, unit), a(note, unit), b(note, unit), a('commit'), b('commit')],
  },
  {
    name: 'G2, two edges and a reader',
    steps: ({ x, y }) => [
      a(read, x, 'u101'),
      a(read, y, 'u101'),
      b(read, y, 'u102'),
      b(set, 'u102.1,', y),
      b('commit'),
      c(read, x, 'u103'),
      c(read, y, 'u103'),
      c('commit'),
      a(set, 'u101.1,', x),
      a('commit'),
    ],
  },
];

/** Each anomaly at each isolation level. */
export const hermitage: readonly Script[] = anomalies.flatMap((anomaly, at) =>
  isolations.map((isolation, level) => scriptOf(anomaly, isolation, at * isolations.length + level)),
);

function scriptOf({ name, steps }: Anomaly, isolation: Isolation, number: number): Script {
  const [x, y, unit] = [`hermitage ${number} x`, `hermitage ${number} y`, `u${1_000 + number}`];
  const of = steps({ x, y, unit });
  const sessions = new Set(of.flatMap(step => ('on' in step ? [step.on] : [])));
  const begin = `begin isolation level ${isolation}`;
  return {
    name: `${name}: ${isolation}`,
    steps: [a(put, x, 'u100.0,'), a(put, y, 'u100.0,'), ...[...sessions].map(session => on(session)(begin)), ...of],
  };
}
