import { parseArgs } from 'node:util';
import { type Scenario, scenarios } from './requests.js';
import { baseline, type ServiceKind, serviceKinds } from './service-kinds.js';

/** What can be measured alone. */
const parts = [...scenarios, 'restart'] as const;

export interface BenchOptions {
  /** Absent: all of them, and the micro benches before them. */
  readonly only?: Scenario | 'restart';
  /** How often each service is measured in the cells that are goals; less in the others. */
  readonly rounds: number;
  /** How long each measurement takes. */
  readonly seconds: number;
  readonly kinds: readonly ServiceKind[];
  /** Writes results.md instead of printing it. */
  readonly write: boolean;
  /** Micro benches to run alone, by their files. Default: all of them, then the requests. */
  readonly files: readonly string[];
}

export const usage = `npm run bench -- [--only <part>] [--rounds N] [--seconds S] [--peers a,b] [--write]

  --only     one of ${parts.join(', ')}; without the micro benches. Default: everything
  --rounds   how often each service is measured in the rows that are goals; two fifths of it in the others. Default 15
  --seconds  how long each measurement takes. Default 1
  --peers    some of ${serviceKinds.map(({ name }) => name).join(', ')}; ${baseline} is always there
  --write    writes test/bench/results.md instead of printing it

npm run bench -- test/bench/kernel.bench.ts    runs these micro benches alone`;

/** @throws Error with a sentence for the terminal. */
export function readOptions(words: readonly string[]): BenchOptions {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      only: { type: 'string' },
      rounds: { type: 'string', default: '15' },
      seconds: { type: 'string', default: '1' },
      peers: { type: 'string' },
      write: { type: 'boolean', default: false },
    },
  });
  const only = values.only === undefined ? undefined : partOf(values.only);
  return {
    ...(only !== undefined && { only }),
    rounds: wholeNumberOf('--rounds', values.rounds),
    seconds: numberOf('--seconds', values.seconds, 0.1),
    kinds: kindsOf(values.peers),
    write: values.write,
    files: positionals,
  };
}

/** Whose round trips and allocations are counted. Those of a GET and of a POST are goals: they are there in any run. */
export function countedIn(only: BenchOptions['only']): readonly Scenario[] {
  if (only === undefined) return scenarios.filter(each => each !== 'mixed');
  return scenarios.filter(each => each === 'get' || each === 'post' || each === only);
}

function partOf(name: string): (typeof parts)[number] {
  const part = parts.find(each => each === name);
  if (part === undefined) throw new Error(`--only takes one of ${parts.join(', ')}.`);
  return part;
}

function wholeNumberOf(flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`${flag} takes a whole number from 1.`);
  return value;
}

function numberOf(flag: string, text: string, lowest: number): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value < lowest) throw new Error(`${flag} takes a number from ${lowest}.`);
  return value;
}

function kindsOf(names: string | undefined): readonly ServiceKind[] {
  if (names === undefined) return serviceKinds;
  const wanted = new Set([baseline, ...names.split(',')]);
  const unknown = [...wanted].filter(name => !serviceKinds.some(kind => kind.name === name));
  if (unknown.length > 0) throw new Error(`--peers takes some of ${serviceKinds.map(({ name }) => name).join(', ')}.`);
  return serviceKinds.filter(({ name }) => wanted.has(name));
}
