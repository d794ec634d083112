import { contractVersion, createMask, type ServiceControl } from '@keelson/core';
import { z } from 'zod';
import type { History, InstanceList, OperationDone, PlanAnswer, Requests } from '../model.js';
import type { LiveSamples } from '../watch/live.js';
import type { Watch } from '../watch/watch.js';
import type { InstanceDirectory } from './instances.js';

export interface ApiParts {
  readonly service: ServiceControl;
  readonly watch: Watch;
  readonly live: LiveSamples;
  readonly instances: InstanceDirectory;
}

const operationCall = z.strictObject({
  plugin: z.string().max(200),
  operation: z.string().max(200),
  named: z.record(z.string().max(200), z.string().max(2_000)).default({}),
});

/** What a plugin or an operation says is masked here once more. */
const mask = createMask({ maxStringLength: 4_000, maxValues: 50_000, maxEntries: 5_000 });

/** Answers the questions of the page about this instance. */
export class ConsoleApi {
  readonly #parts: ApiParts;

  constructor(parts: ApiParts) {
    this.#parts = parts;
  }

  /** Undefined for a path without an answer. */
  async read(path: string, parameters: URLSearchParams): Promise<object | undefined> {
    const after = Number(parameters.get('after') ?? 0) || 0;
    switch (path) {
      case '/api/instances':
        return this.#instances(parameters.get('instance') === 'self');
      case '/api/live':
        return masked(await this.#parts.live.after(after));
      case '/api/history':
        return masked<History>(this.#parts.watch.history());
      case '/api/requests':
        return masked<Requests>(this.#parts.watch.traffic?.requestsAfter(after) ?? { requests: [], kept: [] });
      case '/api/plan':
        return masked(await this.#plan());
      default:
        return undefined;
    }
  }

  /** @throws KeelsonError as `ServiceControl.operate`; ZodError for a wrong body. */
  async operate(body: unknown): Promise<OperationDone> {
    const { plugin, operation, named } = operationCall.parse(body);
    return masked<OperationDone>({ done: await this.#parts.service.operate(plugin, operation, [], named) });
  }

  async #instances(onlySelf: boolean): Promise<InstanceList> {
    const { instances } = this.#parts;
    return masked<InstanceList>({ instances: onlySelf ? [await instances.self()] : await instances.list() });
  }

  async #plan(): Promise<PlanAnswer> {
    const { service } = this.#parts;
    const [plan, start, status] = await Promise.all([service.explain(), service.startReport(), service.status()]);
    return {
      plan,
      ...(start !== undefined && { start: start as NonNullable<PlanAnswer['start']> }),
      coreVersion: contractVersion,
      nodeVersion: process.version,
      awaitingRestart: status.awaitingRestart,
    };
  }
}

/** A copy without secrets, of the same shape. */
function masked<Answer extends object>(answer: Answer): Answer {
  return mask(answer) as Answer;
}
