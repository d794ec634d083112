import type { Format } from './registries.js';

interface Accepted {
  readonly type: string;
  readonly version: string | undefined;
  readonly quality: number;
}

/** The format that a scraper prefers by its `Accept`: OpenMetrics only for one that asks for it by name. */
export function preferredFormat(accept: string | undefined): Format {
  const accepted = (accept ?? '').split(',').map(parsed);
  const best = (suits: (one: Accepted) => boolean) =>
    Math.max(0, ...accepted.filter(suits).map(({ quality }) => quality));
  const openMetrics = best(
    ({ type, version = '1.0.0' }) => type === 'application/openmetrics-text' && version === '1.0.0',
  );
  const text = best(({ type }) => type === 'text/plain' || type === 'text/*');
  return openMetrics > 0 && openMetrics >= text ? 'openmetrics' : 'text';
}

function parsed(text: string): Accepted {
  const [type = '', ...parameters] = text.split(';').map(part => part.trim().toLowerCase());
  const parameterOf = (name: string) =>
    parameters.find(parameter => parameter.startsWith(`${name}=`))?.slice(name.length + 1);
  const quality = Number(parameterOf('q') ?? 1);
  return { type, version: parameterOf('version'), quality: Number.isFinite(quality) ? quality : 0 };
}
