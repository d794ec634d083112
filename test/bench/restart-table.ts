import { table } from './markdown-table.js';
import { type RestartResult, restartMeasure } from './restart.js';
import { serviceKind } from './service-kinds.js';

export function restartTable(restarts: ReadonlyMap<string, RestartResult>): string {
  if (restarts.size === 0) return 'Not measured in this run.';
  const { clients, ordersPerSecond, beforeSeconds, afterSeconds } = restartMeasure;
  return `${clients} clients POST ${ordersPerSecond} orders a second each, one after another. After ${beforeSeconds} s PostgreSQL is
restarted as after a crash (\`immediate\`), and the orders go on for ${afterSeconds} s. \`failed\` is any answer but 2xx, and none. Lost is
what was acknowledged and is not stored; doubled what is stored twice; unconfirmed what is stored and was not acknowledged. A
service without a first success has ended, or runs and answers no order any more (\`none\`).

${table(head, [...restarts].map(rowOf))}`;
}

const head = [
  '',
  'sent',
  'answered 2xx',
  'failed',
  'first success ms',
  'longest wait ms',
  'lost',
  'doubled',
  'unconfirmed',
];

function rowOf([name, result]: readonly [string, RestartResult]): string[] {
  const { sent, acknowledged, failed, longestWaitMs, lost, doubled, unconfirmed } = result;
  return [
    serviceKind(name).title,
    ...[sent, acknowledged, failed].map(String),
    firstSuccessOf(result),
    longestWaitMs.toFixed(0),
    ...[lost, doubled, unconfirmed].map(String),
  ];
}

function firstSuccessOf({ firstSuccessMs, hasEnded }: RestartResult): string {
  const found = firstSuccessMs?.toFixed(0) ?? 'none';
  if (!hasEnded) return found;
  return firstSuccessMs === undefined ? 'process ended' : `${found}, then process ended`;
}
