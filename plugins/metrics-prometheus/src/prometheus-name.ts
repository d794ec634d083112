import type { GaugeOptions } from '@keelson/core';
import type { InstrumentKind } from '@keelson/core/metrics';

/** Units of UCUM as Prometheus spells them. */
const units: Readonly<Record<string, string>> = {
  s: 'seconds',
  ms: 'milliseconds',
  us: 'microseconds',
  ns: 'nanoseconds',
  min: 'minutes',
  h: 'hours',
  d: 'days',
  By: 'bytes',
  kBy: 'kilobytes',
  KBy: 'kilobytes',
  MBy: 'megabytes',
  GBy: 'gigabytes',
  KiBy: 'kibibytes',
  MiBy: 'mebibytes',
  GiBy: 'gibibytes',
  m: 'meters',
  g: 'grams',
  V: 'volts',
  A: 'amperes',
  J: 'joules',
  W: 'watts',
  Cel: 'celsius',
  Hz: 'hertz',
  '%': 'percent',
};

const perUnits: Readonly<Record<string, string>> = { s: 'second', min: 'minute', h: 'hour', d: 'day' };

/**
 * Returns the name of an instrument in Prometheus, by the rules of the OpenTelemetry specification "Prometheus and
 * OpenMetrics Compatibility": `http.server.request.duration` in `s` is `http_server_request_duration_seconds`.
 */
export function prometheusName(kind: InstrumentKind, { name, unit, monotonic = false }: GaugeOptions): string {
  const isCounter = kind === 'counter' || monotonic;
  const words = wordsOf(name).filter(word => !(isCounter && word === 'total'));
  const suffixes = unit === '1' ? (kind === 'gauge' && !isCounter ? ['ratio'] : []) : wordsOf(unitOf(unit));
  const isThere = suffixes.every((word, index) => words.at(index - suffixes.length) === word);
  const whole = [...words, ...(isThere ? [] : suffixes), ...(isCounter ? ['total'] : [])].join('_');
  return /^\d/.test(whole) ? `_${whole}` : whole;
}

/** `http.route` is `http_route`. */
export function prometheusLabel(name: string): string {
  const label = name.replaceAll(/[^A-Za-z0-9_]+/g, '_').replaceAll(/_{2,}/g, '_');
  return /^\d/.test(label) ? `key_${label}` : label;
}

/** What is in braces only annotates: `{connection}`, `By{heap}`. */
function unitOf(unit: string): string {
  const [of = '', per] = unit.replaceAll(/\{[^}]*\}/g, '').split('/', 2);
  const whole = units[of] ?? of;
  if (per === undefined || per === '') return whole;
  return `${whole}_per_${perUnits[per] ?? per}`;
}

function wordsOf(text: string): string[] {
  return text.split(/[^A-Za-z0-9:]+/).filter(word => word !== '');
}
