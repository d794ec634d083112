import type { Declaration } from '@keelson/core/metrics';
import { prometheusLabel, prometheusName } from '@keelson/metrics-prometheus';

export const begin = '<!-- metrics: begin -->';
export const end = '<!-- metrics: end -->';

/** The groups of the page: what the names begin with, and the title. */
const groups: readonly (readonly [beginsWith: string, title: string])[] = [
  ['http.server.', 'Requests'],
  ['http.client.', 'Requests to other services'],
  ['db.client.operation.', 'Sessions'],
  ['db.client.transactions', 'Sessions'],
  ['db.client.commit.', 'Sessions'],
  ['db.client.notifications.', 'Messages of channels, with `database.listen`'],
  ['db.client.', 'Database and pool'],
  ['resilience.', 'Retries and breakers'],
  ['health.', 'Health'],
  ['job.', 'Jobs'],
  ['credentials.', 'Credentials, with a plugin in that slot'],
  ['', 'Process'],
];

/** The tables of docs/metrics.md. */
export function tablesOf(declared: readonly Declaration[]): string {
  const titles = [...new Set(groups.map(([, title]) => title))];
  return titles
    .map(title => {
      const rows = declared.filter(({ options }) => titleOf(options.name) === title).map(rowOf);
      const head = [
        '| metric | in Prometheus | type | labels in Prometheus | meaning |',
        '| --- | --- | --- | --- | --- |',
      ];
      return [`### ${title}`, '', ...head, ...rows].join('\n');
    })
    .join('\n\n');
}

export function typeOf({ kind, options }: Declaration): string {
  return options.monotonic === true ? 'counter' : kind;
}

function titleOf(name: string): string {
  return groups.find(([beginsWith]) => name.startsWith(beginsWith))?.[1] ?? '';
}

function rowOf(declaration: Declaration): string {
  const { kind, options } = declaration;
  const labels = (options.labels ?? []).map(label => `\`${prometheusLabel(label)}\``).join(', ');
  const unit = options.unit.startsWith('{') || options.unit === '1' ? '' : `, ${options.unit}`;
  const cells = [
    `\`${options.name}\``,
    `\`${prometheusName(kind, options)}\``,
    `${typeOf(declaration)}${unit}`,
    labels,
    options.description,
  ];
  return `| ${cells.join(' | ')} |`;
}
