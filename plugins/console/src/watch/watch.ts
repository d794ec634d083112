import { type Breadcrumb, type Clock, createMask, type HealthService, type Telemetry } from '@keelson/core';
import type { EventNote, History } from '../model.js';
import type { ConsoleOptions } from '../options.js';
import { HealthWatch } from './health-watch.js';
import { Outages } from './outages.js';
import { Ring } from './ring.js';
import { Traffic } from './traffic.js';
import { watchTelemetry } from './watched-telemetry.js';

const mostEvents = 200;
const mask = createMask({ maxStringLength: 300 });

/** Categories of breadcrumbs that Keelson itself writes; a message of other code may quote a user. */
const ownCategories = new Set(['database.state', 'retry.breaker']);
/** A session that lost a conflict is tried again as well: that is no outage. */
const isLostConnection =
  /^(DATABASE_(CONNECTION_LOST|CONNECT_FAILED|NOT_CONNECTED|ACQUIRE_TIMEOUT|OVERLOADED)|CIRCUIT_OPEN|E[A-Z]{3,}|57P0|08)/;

/** All that the page shows of the past: bounded, and fed by what the service says anyway. */
export class Watch {
  readonly traffic: Traffic | undefined;
  readonly outages: Outages;
  readonly health: HealthWatch;
  readonly #clock: Clock;
  readonly #events = new Ring<EventNote>(mostEvents);
  #eventCount = 0;

  constructor(options: ConsoleOptions, clock: Clock) {
    const now = () => clock.date().getTime();
    this.#clock = clock;
    this.outages = new Outages(now);
    this.health = new HealthWatch({
      now,
      mask: text => String(mask(text)),
      onReadiness: failing => {
        if (failing.length === 0) this.outages.end('readiness');
        // A service that starts or stops is not ready, and no outage.
        else if (failing.every(({ name }) => name !== 'lifecycle')) {
          const names = failing.map(({ name }) => name).join(', ');
          this.outages.begin('readiness', `not ready: ${names}`);
        }
      },
    });
    if (options.requests !== false) {
      this.traffic = new Traffic(clock, options.requests, ended => this.outages.answered(ended));
    }
  }

  telemetry(inner: Telemetry): Telemetry {
    const { traffic } = this;
    if (traffic === undefined) return inner;
    return watchTelemetry(inner, { clock: this.#clock, traffic, onBreadcrumb: given => this.#note(given) });
  }

  healthService(inner: HealthService): HealthService {
    return this.health.watch(inner);
  }

  get revision(): number {
    return this.#eventCount + this.outages.revision + this.health.revision;
  }

  history(): History {
    return {
      revision: this.revision,
      health: this.health.changes(),
      outages: this.outages.all(),
      events: this.#events.values().reverse(),
    };
  }

  #note({ category, message, level = 'info', facts = {} }: Breadcrumb): void {
    if (category === 'database.retry') {
      const kind = String(facts.kind);
      this.traffic?.repeats();
      if (isLostConnection.test(kind)) this.outages.repeated(kind);
      return;
    }
    if (!ownCategories.has(category)) return;
    const kind = textOf(facts.cause) ?? textOf(facts.sqlState) ?? textOf(facts.systemCode);
    const text = String(mask(message));
    this.#eventCount += 1;
    this.#events.push({
      at: this.#clock.date().getTime(),
      level,
      category,
      message: text,
      ...(kind !== undefined && { kind }),
    });
    const key = `${category} ${String(facts.target ?? facts.database)}`;
    if (level === 'info' || text.includes('held-')) this.outages.end(key);
    else this.outages.begin(key, text, kind);
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
