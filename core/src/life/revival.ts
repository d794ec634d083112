import { HealthService } from '../contract/slots/health.js';
import { Logger } from '../contract/slots/logger.js';
import { firstLine } from './report.js';
import type { RunningPlugin } from './running-plugin.js';
import type { Start } from './start.js';
import { canStart } from './start-levels.js';

const longestDelayMs = 60_000;

/**
 * Starts the optional plugins that failed again and again, in the order of the plan, with ever longer waits. Meanwhile
 * readiness warns and names them. Resolves when all run, or when the stop has begun and no attempt is running.
 */
export async function revive(start: Start): Promise<void> {
  const down = start.running.filter(plugin => plugin.planned.optional && plugin.outcome !== 'started');
  await Promise.all(down.map(plugin => revivePlugin(plugin, start)));
}

async function revivePlugin(plugin: RunningPlugin, start: Start): Promise<void> {
  const { container, clock, running, plan } = start;
  const { stopping } = start.lifecycle;
  const random = start.options.random ?? Math.random;
  let cause = plugin.error;
  using _warning = container.get(HealthService).register({
    name: `plugin-${plugin.key.replace('/', '-')}`,
    critical: false,
    check: async () => ({ status: 'warn', output: `${plugin.key} does not run: ${saidBy(cause)}` }),
  });
  const logger = container.get(Logger).child({ plugin: plugin.key });
  for (let delayMs = plan.settings.startup.retryAfterMs; ; delayMs = Math.min(delayMs * 2, longestDelayMs)) {
    logger.warn('optional plugin failed', { retryInMs: delayMs, error: cause });
    const stopped = await clock.sleep(delayMs * (0.5 + random() / 2), stopping).then(
      () => false,
      () => true,
    );
    if (stopped) return;
    if (!canStart(plugin, running)) continue;
    await attempt(plugin, stopping);
    if (plugin.outcome === 'started') {
      logger.info('optional plugin started');
      return;
    }
    cause = plugin.error;
  }
}

/** From `register` on, on new bindings: what Inversify kept of the failed ones is gone with them. */
async function attempt(plugin: RunningPlugin, stopping: AbortSignal): Promise<void> {
  plugin.renew();
  const steps = [
    () => plugin.import(stopping),
    () => plugin.register(stopping),
    () => plugin.start(stopping),
    () => plugin.ready(stopping),
  ];
  for (const step of steps) {
    await step();
    if (plugin.error === undefined) continue;
    // The stop has its own time for it, and reports on it.
    if (!stopping.aborted) await plugin.giveUp();
    return;
  }
}

function saidBy(error: unknown): string {
  return error === undefined ? 'a plugin that it requires does not run.' : firstLine(error);
}
