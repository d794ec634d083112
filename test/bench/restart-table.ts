import { table } from './markdown-table.js';
import { type RestartResult, restartMeasure } from './restart.js';
import { serviceKind } from './service-kinds.js';

export function restartTable(restarts: ReadonlyMap<string, RestartResult>): string {
  if (restarts.size === 0) return 'Not measured in this run.';
  const { clients, ordersPerSecond, beforeSeconds, afterSeconds } = restartMeasure;
  return `${clients} clients POST ${ordersPerSecond} orders a second each, one after another. After ${beforeSeconds} s PostgreSQL is restarted as after a
crash (\`immediate\`), and the clients send orders for another ${afterSeconds} s. \`failed\` counts orders with an answer other than 2xx, or
without an answer. \`lost\` counts acknowledged orders that are not stored, \`doubled\` counts orders that are stored twice, and
\`unconfirmed\` counts orders that are stored but were not acknowledged. In \`first success ms\`, \`process ended\` means that the
service has ended, and \`none\` that it runs and no longer answers an order.

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
