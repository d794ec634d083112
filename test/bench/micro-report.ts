import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** Names the file that the micro benches add their figures to; they do so only where it is set. */
export const reportVariable = 'KEELSON_BENCH_REPORT';

export interface MicroFigure {
  readonly name: string;
  readonly value: number;
  readonly unit: 'us' | 'ns' | 'ms' | 'x';
}

/** Prints a figure, and adds it to the results of the bench. */
export function reportFigure(figure: MicroFigure): void {
  const { name, value, unit } = figure;
  console.log(`${name}: ${value.toFixed(2)} ${unit}`);
  const file = process.env[reportVariable];
  if (file !== undefined && file !== '') appendFileSync(file, `${JSON.stringify(figure)}\n`);
}

export function readFigures(file: string): MicroFigure[] {
  if (!existsSync(file)) return [];
  const lines = readFileSync(file, 'utf8').trim().split('\n');
  return lines.filter(line => line !== '').map(line => JSON.parse(line) as MicroFigure);
}
