import type { CheckReport, HealthCheck, HealthReport, HealthService } from '@keelson/core';
import type { HealthChange } from '../model.js';
import { Ring } from './ring.js';

const mostChanges = 200;
/** After which the report has the sample that was just taken. */
const soon = (work: () => void) => void setImmediate(work);

export interface HealthWatchParts {
  /** In milliseconds since 1970. */
  readonly now: () => number;
  /** Called when the service becomes not ready or ready, with the critical checks that fail. */
  readonly onReadiness: (failing: readonly CheckReport[]) => void;
  readonly mask: (text: string) => string;
}

/** Notes when checks change. It takes no sample: it looks at the report when the service itself has taken one. */
export class HealthWatch {
  readonly #parts: HealthWatchParts;
  readonly #changes = new Ring<HealthChange>(mostChanges);
  #seen = new Map<string, { readonly status: CheckReport['status']; readonly output: string | undefined }>();
  #failing = '';
  #revision = 0;
  #service: HealthService | undefined;
  #looks = false;

  constructor(parts: HealthWatchParts) {
    this.#parts = parts;
  }

  get revision(): number {
    return this.#revision;
  }

  /** The latest first. */
  changes(): HealthChange[] {
    return this.#changes.values().reverse();
  }

  watch(inner: HealthService): HealthService {
    this.#service = inner;
    return {
      register: check => inner.register(this.#watched(check)),
      report: (kind, group) => inner.report(kind, group),
    };
  }

  /** Compares the report with the last one. */
  look(report: HealthReport | undefined = this.#service?.report('ready')): void {
    if (report === undefined) return;
    const before = this.#seen;
    this.#seen = new Map(report.checks.map(({ name, status, output }) => [name, { status, output }]));
    for (const check of report.checks) {
      // Before its first sample, a check has no state that could change.
      if (check.observedAt === undefined && check.name !== 'lifecycle') continue;
      const from = before.get(check.name)?.status;
      if (from !== check.status && !(from === undefined && check.status === 'pass')) {
        this.#note(check, from ?? 'new');
      }
    }
    const failing = report.checks.filter(({ critical, status }) => critical && status === 'fail');
    const names = failing.map(({ name }) => name).join(', ');
    if (names === this.#failing) return;
    this.#failing = names;
    this.#parts.onReadiness(failing);
  }

  #note({ name, critical, status, output }: CheckReport, from: HealthChange['from']): void {
    this.#revision += 1;
    this.#changes.push({
      at: this.#parts.now(),
      check: name,
      critical,
      from,
      to: status,
      ...(output !== undefined && { output: this.#parts.mask(output) }),
    });
  }

  #watched(check: HealthCheck): HealthCheck {
    // The service refuses it, in its own words.
    if (typeof check?.check !== 'function') return check;
    // The members of an instance of a class stay where they are.
    const watched: HealthCheck = Object.create(check);
    return Object.assign(watched, {
      check: async (signal: AbortSignal) => {
        try {
          return await check.check(signal);
        } finally {
          this.#lookSoon();
        }
      },
    });
  }

  #lookSoon(): void {
    if (this.#looks) return;
    this.#looks = true;
    soon(() => {
      this.#looks = false;
      this.look();
    });
  }
}
