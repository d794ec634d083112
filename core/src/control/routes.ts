import { z } from 'zod';
import { contractVersion } from '../contract/contract-version.js';
import { isKeelsonError, KeelsonError } from '../contract/keelson-error.js';
import type { Kernel } from '../life/kernel.js';
import type { StartingService } from '../life/kernel-options.js';
import type { ReloadReport } from '../life/reload.js';
import { stillStarting } from '../life/service-control.js';
import { summarizeError } from '../secrets/summarize-error.js';
import type { ControlRoutes, InstanceStatus, OperationAnswer, ReloadAnswer } from './protocol.js';

const operationSchema = z.object({
  plugin: z.string(),
  operation: z.string(),
  words: z.array(z.string()),
  named: z.record(z.string(), z.string()).default({}),
});

export interface Controlled {
  readonly starting: Pick<StartingService, 'status'>;
  /** Undefined until it has started. */
  readonly kernel: () => Pick<Kernel, 'status' | 'operate' | 'reload'> | undefined;
  /** The file it was started with. */
  readonly config: string;
  /** Called with the changes of a reload. */
  readonly onReload: (report: ReloadReport) => void;
}

/** What can be asked of a service that runs, or starts. */
export function controlRoutes({ starting, kernel, config, onReload }: Controlled): ControlRoutes {
  const started = () => kernel() ?? stillStarting();
  return {
    'GET /status': async (): Promise<InstanceStatus> => ({
      ...(await (kernel() ?? starting).status()),
      pid: process.pid,
      uptimeMs: Math.round(process.uptime() * 1_000),
      config,
      coreVersion: contractVersion,
      nodeVersion: process.version,
    }),
    'POST /reload': async (): Promise<ReloadAnswer> => {
      const report = await started().reload().catch(refuse);
      onReload(report);
      return {
        changes: report.changes.map(({ origin: _origin, error, ...change }) => ({
          ...change,
          ...(error !== undefined && { error: summarizeError(error) }),
        })),
      };
    },
    'POST /operations': async (body): Promise<OperationAnswer> => {
      const { plugin, operation, words, named } = operationSchema.parse(body);
      return { done: await started().operate(plugin, operation, words, named) };
    },
  };
}

/** The hint of a start that was refused is of no use to a service that runs. */
function refuse(error: unknown): never {
  if (!isKeelsonError(error, 'KERNEL_PLAN_INVALID')) throw error;
  const { code, message, facts } = error;
  const hint = 'Nothing has changed. Fix the configuration, and reload again.';
  throw new KeelsonError({ code, message, hint, facts: { problems: facts.problems }, cause: error });
}
