import { dirname } from 'node:path';
import type { KeptProgram } from '../../contract/plugin-context.js';
import { findPackage } from '../../plan/package-entry.js';
import { sourceFile } from '../../plan/source-file.js';
import { processTerminal } from '../output/process-terminal.js';
import { runKeelson } from '../run-keelson.js';
import { forDevelopment, valuesOf } from './development-plan.js';
import { type Order, order, type Report } from './messages.js';
import { runSources } from './run-sources.js';

/** The process of the service below `keelson dev`: `keelson start` with the sources, which takes its orders from there. */
const [config = '', mode, ...words] = process.argv.slice(2);
const directory = dirname(config);
const started = Promise.withResolvers<void>();
const asked: PromiseWithResolvers<string>[] = [];

process.on('message', message => {
  const { data } = order.safeParse(message);
  if (data?.is === 'prepare') void prepare(data.packages);
  if (data?.is === 'start') started.resolve();
  if (data?.is === 'stop') stop();
  if (data?.is === 'kept') settle(data);
});
// `keelson dev` is gone, in whatever way.
process.on('disconnect', stop);

const report = (message: Report) => {
  if (process.connected) process.send?.(message);
};

if (mode === 'sources') runSources();
await started.promise;
const code = await runKeelson(['start', '--config', config, ...words], {
  ...processTerminal,
  kernel: {
    revise(plan) {
      report({ is: 'planned', values: valuesOf(plan) });
      return forDevelopment(plan);
    },
    keepProcess,
    ...(mode === 'sources' && { sourceOf: (file: string) => sourceFile(file, directory) }),
  },
  onReady: () => report({ is: 'ready' }),
});
process.exit(code);

/** `keelson dev` answers in the order of the questions. */
function keepProcess({ file, words }: KeptProgram): Promise<string> {
  const answer = Promise.withResolvers<string>();
  asked.push(answer);
  report({ is: 'keep', file: file.href, words: [...words] });
  return answer.promise;
}

function settle({ address, failure }: Extract<Order, { is: 'kept' }>): void {
  const answer = asked.shift();
  if (address === undefined) answer?.reject(new Error(failure));
  else answer?.resolve(address);
}

/** As a signal does, which Windows does not have. */
function stop(): void {
  if (process.listenerCount('SIGTERM') === 0) process.exit(0);
  process.emit('SIGTERM', 'SIGTERM');
}

/** Loads the packages of the service ahead of its start. What cannot be loaded is a problem of the plan then. */
async function prepare(packages: readonly string[]): Promise<void> {
  const files = packages.flatMap(name => findPackage(name, directory)?.main ?? []);
  await Promise.allSettled([import('../../life/start.js'), ...files.map(file => import(file.href))]);
}
