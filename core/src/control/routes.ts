import { z } from 'zod';
import { isKeelsonError, KeelsonError } from '../errors/keelson-error.js';
import { summarizeError } from '../errors/summarize-error.js';
import type { Kernel } from '../kernel/kernel.js';
import type { ReloadReport } from '../kernel/reload.js';
import { contractVersion } from '../plugin/contract-version.js';
import type { ControlRoutes, InstanceStatus, OperationAnswer, ReloadAnswer } from './protocol.js';

const operationSchema = z.object({ plugin: z.string(), operation: z.string(), words: z.array(z.string()) });

export interface Controlled {
  readonly kernel: Pick<Kernel, 'status' | 'operate'>;
  /** The file it was started with. */
  readonly config: string;
  /** What SIGHUP does. */
  readonly reload: () => Promise<ReloadReport>;
}

/** What can be asked of a running service. */
export function controlRoutes({ kernel, config, reload }: Controlled): ControlRoutes {
  return {
    'GET /status': async (): Promise<InstanceStatus> => ({
      ...(await kernel.status()),
      pid: process.pid,
      uptimeMs: Math.round(process.uptime() * 1_000),
      config,
      coreVersion: contractVersion,
      nodeVersion: process.version,
    }),
    'POST /reload': async (): Promise<ReloadAnswer> => {
      const { changes } = await reload().catch(refuse);
      return {
        changes: changes.map(({ origin: _origin, error, ...change }) => ({
          ...change,
          ...(error !== undefined && { error: summarizeError(error) }),
        })),
      };
    },
    'POST /operations': async (body): Promise<OperationAnswer> => {
      const { plugin, operation, words } = operationSchema.parse(body);
      return { done: await kernel.operate(plugin, operation, words) };
    },
  };
}

/** The hint of a start that was refused is of no use to a service that runs. */
function refuse(error: unknown): never {
  if (!isKeelsonError(error, 'KERNEL_PLAN_INVALID')) throw error;
  const { code, message } = error;
  throw new KeelsonError({ code, message, hint: 'Nothing has changed. Correct it, and reload again.', cause: error });
}
