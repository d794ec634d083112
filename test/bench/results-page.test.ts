import { describe, expect, test } from 'vitest';
import type { BenchResults } from './bench-results.js';
import { cell } from './cells.js';
import { figureNames } from './figure-names.js';
import type { Sample } from './measure.js';
import { readOptions } from './options.js';
import type { RestartResult } from './restart.js';
import { writePage } from './results-page.js';

const sample = (serviceCpuUs: number, failures: Sample['failures'] = {}): Sample => ({
  requestsPerSecond: 1_000,
  p50Ms: 1,
  p99Ms: 2,
  serviceCpuUs,
  databaseCpuUs: 100,
  residentMb: 200,
  failures,
});

const restart = (known: Partial<RestartResult>): RestartResult => ({
  sent: 100,
  acknowledged: 91,
  failed: 0,
  firstSuccessMs: 10,
  longestWaitMs: 250.6,
  lost: 0,
  doubled: 0,
  unconfirmed: 0,
  hasEnded: false,
  ...known,
});

const results: BenchResults = {
  machine: [['Node', '24']],
  options: readOptions([]),
  cells: [
    {
      cell: cell('get', 16, 0),
      samples: new Map([
        ['bare', [sample(100), sample(200)]],
        ['keelson', [sample(90), sample(200, { 503: 2 })]],
        ['nest', [sample(100), sample(210)]],
      ]),
    },
  ],
  starts: new Map([
    ['keelson', [900]],
    ['nest', [1_000]],
  ]),
  counts: new Map([
    ['keelson', new Map([['get', { messages: 3, roundTrips: 1, statements: 1, allocatedKb: 99.6, promotedKb: 1 }]])],
  ]),
  restarts: new Map([
    ['bare', restart({ firstSuccessMs: 12.4, failed: 9, lost: 1, doubled: 2, unconfirmed: 3 })],
    ['express-pg', restart({ firstSuccessMs: undefined, hasEnded: true })],
    ['fastify-pg', restart({ firstSuccessMs: 30, hasEnded: true })],
  ]),
  figures: [{ name: figureNames.sessionBeyondFork, value: 2.5, unit: 'us' }],
};

describe('the page of results', () => {
  const page = writePage(results);

  test('says of each goal whether it was met, missed or not measured', () => {
    expect(page).toContain('| CPU of a GET / bare | <= 0.95 | 0.95 | met |');
    expect(page).toContain('| CPU of PostgreSQL for a GET / bare | <= 0.8 | 1.00 | **missed** |');
    expect(page).toContain('| Start until ready / NestJS | <= 0.7 | 0.90 | **missed** |');
    expect(page).toContain('| Round trips of a GET | <= 1 | 1.00 | met |');
    expect(page).toContain('| A session without a statement beyond `em.fork()`, us | <= 3 | 2.50 | met |');
    expect(page).toContain('| CPU of a POST / bare | <= 0.9 |  | not measured |');
  });

  test('shows each figure with its ratio to bare and the spread of that', () => {
    expect(page).toContain('| 145 (0.95; 0.90 to 1.00) |');
    expect(page).toContain('| Keelson | GET one row | 3 | 1 | 1 | 100 |');
  });

  test('shows what has failed, by status', () => {
    expect(page).toContain('| 2 x 503 |');
  });

  test('shows what became of the orders when PostgreSQL was restarted, and which process ended', () => {
    expect(page).toContain('| Express + MikroORM (bare) | 100 | 91 | 9 | 12 | 251 | 1 | 2 | 3 |');
    expect(page).toContain('| Express + pg by hand | 100 | 91 | 0 | process ended | 251 | 0 | 0 | 0 |');
    expect(page).toContain('| Fastify + pg by hand | 100 | 91 | 0 | 30, then process ended | 251 | 0 | 0 | 0 |');
  });

  test('says of each row how many rounds it has', () => {
    expect(page).toContain('| 2 rounds | requests/s |');
  });

  test('says which rows have TLS', () => {
    const encrypted = { cell: cell('post', 16, 0, true), samples: new Map([['bare', [sample(100)]]]) };
    const one = writePage({ ...results, cells: [encrypted] });
    expect(one).toContain('### POST one order, 16 connections, TLS to the database\n\n| 1 round |');
  });
});

describe('a row in which the same service differs from itself by more than 10 %', () => {
  const pageWith = (again: number, starts = results.starts) => {
    const samples = new Map([
      ['bare', [sample(100)]],
      ['bare-again', [sample(again)]],
      ['keelson', [sample(90)]],
    ]);
    return writePage({ ...results, cells: [{ cell: cell('get', 16, 0), samples }], starts });
  };

  test.each([115, 100 / 1.15])('is not reliable, and no goal that is met there: %f for 100', again => {
    const page = pageWith(again);
    expect(page).toContain('**Not reliable**: the two bare services differ in CPU us by 15 %.');
    expect(page).toContain('| CPU of a GET / bare | <= 0.95 | 0.90 | met, not reliable: A/A differ by 15 % |');
  });

  test('is the only one', () => {
    expect(pageWith(109)).not.toMatch(/\*\*Not reliable|, not reliable/);
  });

  test('may be that of the starts', () => {
    const starts = new Map([
      ['bare', [1_000]],
      ['bare-again', [800]],
      ['keelson', [900]],
      ['nest', [1_000]],
    ]);
    const page = pageWith(100, starts);
    expect(page).toContain('**Not reliable**: the two bare services differ in ms by 25 %.');
    expect(page).toContain(
      '| Start until ready / NestJS | <= 0.7 | 0.90 | **missed**, not reliable: A/A differ by 25 % |',
    );
  });
});
