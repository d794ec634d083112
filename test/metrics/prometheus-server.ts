import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram } from '@keelson/test-support/daemon';
import { freePort } from '@keelson/test-support/free-port';
import { guard, release } from '@keelson/test-support/guardian';
import { stringify } from 'yaml';
import { z } from 'zod';

export const rulesFile = fileURLToPath(new URL('../../deploy/prometheus/alerts.yaml', import.meta.url));
const prometheus = findProgram('prometheus');
export const hasPrometheus = prometheus !== undefined;

const alerts = z.object({
  data: z.object({ alerts: z.array(z.object({ state: z.string(), labels: z.record(z.string(), z.string()) })) }),
});
const targets = z.object({
  data: z.object({ activeTargets: z.array(z.object({ health: z.string(), lastError: z.string() })) }),
});

/**
 * A Prometheus that scrapes one port twice a second, and has the alerts with seconds in place of minutes. Its files are in
 * `directory`.
 */
export async function startPrometheus(scraped: number, directory: string) {
  const port = await freePort();
  const rules = readFileSync(rulesFile, 'utf8')
    .replaceAll(/^ +for: .*\n/gm, '')
    .replaceAll(/\[\d+m\]/g, '[5s]')
    .replace('db_client_replica_lag_seconds > 30', 'db_client_replica_lag_seconds > 1');
  writeFileSync(join(directory, 'short-alerts.yaml'), rules);
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
    rule_files: ['short-alerts.yaml'],
    scrape_configs: [{ job_name: 'orders', static_configs: [{ targets: [`127.0.0.1:${scraped}`] }] }],
  };
  writeFileSync(join(directory, 'prometheus.yaml'), stringify(config));
  const child = spawn(
    prometheus ?? 'prometheus',
    [
      `--config.file=${join(directory, 'prometheus.yaml')}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
      '--enable-feature=exemplar-storage',
    ],
    { stdio: 'ignore' },
  );
  const { pid } = child;
  if (pid !== undefined) guard(pid);
  const ended = new Promise<void>(resolve => child.once('close', () => resolve()));
  const ask = async (path: string) => (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json();
  return {
    firing: async () =>
      alerts
        .parse(await ask('alerts'))
        .data.alerts.filter(({ state }) => state === 'firing')
        .map(({ labels }) => labels.alertname ?? ''),
    targets: async () => targets.parse(await ask('targets')).data.activeTargets,
    query: async (expr: string) => {
      const answer = z.object({ data: z.object({ result: z.array(z.unknown()) }) });
      return answer.parse(await ask(`query?query=${encodeURIComponent(expr)}`)).data.result.length;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
      if (pid !== undefined) release(pid);
    },
  };
}
