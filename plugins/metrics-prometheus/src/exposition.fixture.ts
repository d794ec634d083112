import type { InstrumentOptions } from '@keelson/core';
import type { InstrumentKind } from '@keelson/core/metrics';
import type { ReadSeries } from '@keelson/core/testing';
import { prometheusLabel, prometheusName } from './prometheus-name.js';

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** What follows ` # `: an exemplar of OpenMetrics. */
  readonly exemplar: string | undefined;
}

/** The samples of an exposition, with their labels as they were given. */
export function samplesOf(exposition: string): readonly Sample[] {
  return exposition.split('\n').flatMap(line => {
    if (line === '' || line.startsWith('#')) return [];
    const [, name = '', , labels = '', value = '', , exemplar] =
      /^([a-zA-Z_:][\w:]*)(\{(.*?)\})? ([^ ]+)( # (.*))?$/.exec(withLongestLabels(line)) ?? [];
    return [{ name, labels: labelsOf(labels), value: Number(value), exemplar }];
  });
}

/** Values of labels may hold any text: what is between quotes is made harmless for the pattern above. */
function withLongestLabels(line: string): string {
  return line.replaceAll(/"((?:[^"\\]|\\.)*)"/g, (_, text: string) => `"${encodeURIComponent(unescaped(text))}"`);
}

function unescaped(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, letter: string) => (letter === 'n' ? '\n' : letter));
}

function labelsOf(text: string): Record<string, string> {
  const pairs = [...text.matchAll(/([a-zA-Z_]\w*)="([^"]*)"/g)];
  return Object.fromEntries(pairs.map(([, name = '', value = '']) => [name, decodeURIComponent(value)]));
}

/** The series of one instrument, by the names of its declaration. */
export function readSeries(exposition: string, kind: InstrumentKind, options: InstrumentOptions): ReadSeries[] {
  const name = prometheusName(kind, options);
  const samples = samplesOf(exposition);
  const of = (suffix: string) => samples.filter(sample => sample.name === `${name}${suffix}`);
  const labelsOfSeries = ({ labels }: Sample) =>
    Object.fromEntries(
      (options.labels ?? []).flatMap(label => {
        const value = labels[prometheusLabel(label)];
        return value === undefined ? [] : [[label, value]];
      }),
    );
  if (kind !== 'histogram') return of('').map(sample => ({ labels: labelsOfSeries(sample), value: sample.value }));
  const counts = of('_count');
  return of('_sum').map((sample, index) => ({
    labels: labelsOfSeries(sample),
    value: sample.value,
    count: counts[index]?.value ?? Number.NaN,
  }));
}
