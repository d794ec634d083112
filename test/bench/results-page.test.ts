import { describe, expect, test } from 'vitest';
import type { BenchResults } from './bench-results.js';
import { figureNames } from './figure-names.js';
import type { Sample } from './measure.js';
import { readOptions } from './options.js';
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

const results: BenchResults = {
  machine: [['Node', '24']],
  options: readOptions([]),
  cells: [
    {
      cell: { scenario: 'get', connections: 16, roundTripMs: 0 },
      samples: new Map([
        ['bare', [sample(100), sample(200)]],
        ['keelson', [sample(90), sample(200, { 503: 2 })]],
        ['nest', [sample(100), sample(210)]],
      ]),
    },
  ],
  boots: new Map([
    ['keelson', [900]],
    ['nest', [1_000]],
  ]),
  counts: new Map([
    ['keelson', new Map([['get', { messages: 3, roundTrips: 1, statements: 1, allocatedKb: 99.6, promotedKb: 1 }]])],
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
});
