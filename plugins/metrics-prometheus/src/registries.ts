import { Counter, type Gauge, type Histogram, Registry } from 'prom-client';

export type Format = 'text' | 'openmetrics';

/** One set of metrics in both formats of Prometheus. Not the global registry: a process may run several services. */
export class Registries {
  readonly #text = new Registry();
  readonly #openMetrics = new Registry<typeof Registry.OPENMETRICS_CONTENT_TYPE>();

  constructor() {
    this.#openMetrics.setContentType(Registry.OPENMETRICS_CONTENT_TYPE);
  }

  /** `metric` must be in no registry yet: prom-client makes no metric with exemplars in a registry of the text format. */
  add(metric: Gauge | Histogram): void {
    this.#text.registerMetric(metric);
    this.#openMetrics.registerMetric(metric);
  }

  addCounter(counter: Counter, name: string): void {
    this.#text.registerMetric(counter);
    this.#openMetrics.registerMetric(new OpenMetricsCounter(counter, name));
  }

  contentType(format: Format): string {
    return format === 'text' ? this.#text.contentType : this.#openMetrics.contentType;
  }

  expose(format: Format): Promise<string> {
    return format === 'text' ? this.#text.metrics() : this.#openMetrics.metrics();
  }
}

/**
 * A counter as OpenMetrics has it, whose name has `_total` only at its values. prom-client 15 takes `_total` off the counter
 * itself, for the other format too.
 */
class OpenMetricsCounter extends Counter {
  readonly #counter: Counter;
  readonly #name: string;

  constructor(counter: Counter, name: string) {
    const bare = name.replace(/_total$/, '');
    super({ name: bare, help: bare, registers: [] });
    this.#counter = counter;
    this.#name = bare;
  }

  override async get(): ReturnType<Counter['get']> {
    return { ...(await this.#counter.get()), name: this.#name };
  }
}
