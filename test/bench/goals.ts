import { type BenchResults, compared, type Measure, noiseOf, startNoiseOf } from './bench-results.js';
import { type Cell, cell, isSameCell } from './cells.js';
import { figureNames } from './figure-names.js';
import { baseline } from './service-kinds.js';
import { median, ratioOf } from './statistics.js';

export interface Goal {
  readonly title: string;
  readonly atMost: number;
  /** What was measured; undefined when this run has not measured it. */
  readonly found: (results: BenchResults) => number | undefined;
  /** By how much the two bare services differ in the same figure. */
  readonly noise?: (results: BenchResults) => number | undefined;
}

const near = (scenario: 'get' | 'post') => cell(scenario, 16, 0);
const far = (scenario: 'get' | 'post') => cell(scenario, 4, 2);

/** What the ordinary request has to cost, as ratios of medians with everything on. */
export const goals: readonly Goal[] = [
  ratio('CPU of a GET / bare', 0.95, near('get'), 'serviceCpuUs'),
  ratio('CPU of a POST / bare', 0.9, near('post'), 'serviceCpuUs'),
  ratio('CPU of a GET / NestJS', 0.9, near('get'), 'serviceCpuUs', 'nest'),
  ratio('CPU of a POST / NestJS', 0.85, near('post'), 'serviceCpuUs', 'nest'),
  ratio('CPU of PostgreSQL for a GET / bare', 0.8, near('get'), 'databaseCpuUs'),
  ratio('CPU of PostgreSQL for a POST / bare', 0.8, near('post'), 'databaseCpuUs'),
  ratio('p50 of a GET, 2 ms from the database, 4 connections / bare', 1, far('get'), 'p50Ms'),
  ratio('p50 of a POST, 2 ms from the database, 4 connections / bare', 0.75, far('post'), 'p50Ms'),
  ratio('p99 of a GET, 16 connections / bare', 1.1, near('get'), 'p99Ms'),
  ratio('p99 of a POST, 16 connections / bare', 1.1, near('post'), 'p99Ms'),
  { title: 'Start until ready / NestJS', atMost: 0.7, found: startRatio, noise: startNoiseOf },
  ratio('Resident memory after GETs / bare', 1, near('get'), 'residentMb'),
  ratio('Resident memory after POSTs / bare', 1, near('post'), 'residentMb'),
  figure('A session without a statement beyond `em.fork()`, us', 3, figureNames.sessionBeyondFork),
  figure('100,000 rows by `bulkInsert` / by `insertMany`', 0.2, figureNames.bulkBesideInsertMany),
  figure('100,000 rows by `bulkInsert` / by COPY of the same text', 1.5, figureNames.bulkBesideCopy),
  roundTrips('Round trips of a GET', 1, 'get'),
  roundTrips('Round trips of a POST: a unit of 2 statements', 2, 'post'),
];

function ratio(title: string, atMost: number, cell: Cell, measure: Measure, beside = baseline): Goal {
  const resultIn = ({ cells }: BenchResults) => cells.find(each => isSameCell(each.cell, cell));
  return {
    title,
    atMost,
    found(results) {
      const result = resultIn(results);
      return result && compared(result, measure, 'keelson', beside)?.median;
    },
    noise(results) {
      const result = resultIn(results);
      return result && noiseOf(result, measure);
    },
  };
}

function startRatio({ starts }: BenchResults): number | undefined {
  const [ours, theirs] = [starts.get('keelson'), starts.get('nest')];
  return ours && theirs && ratioOf(ours, theirs).median;
}

/** Each bench file may run more than once. */
function figure(title: string, atMost: number, name: string): Goal {
  return {
    title,
    atMost,
    found({ figures }) {
      const values = figures.filter(each => each.name === name).map(({ value }) => value);
      return values.length === 0 ? undefined : median(values);
    },
  };
}

function roundTrips(title: string, atMost: number, scenario: 'get' | 'post'): Goal {
  return { title, atMost, found: ({ counts }) => counts.get('keelson')?.get(scenario)?.roundTrips };
}
