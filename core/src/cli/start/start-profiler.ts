import { AsyncLocalStorage } from 'node:async_hooks';
import { registerHooks } from 'node:module';
import type { Around, StartPart } from '../../plan/start-part.js';
import { addUp, gapsIn, type ProfileLine, type Span } from './add-up.js';
import { LoopWatch } from './longest-block.js';

/** Where the time until ready went. */
export interface StartProfile {
  /** Since the process began, in milliseconds. */
  readonly readyAfterMs: number;
  /** In the order of time; their `addsMs` add up to `readyAfterMs`. */
  readonly lines: readonly ProfileLine[];
  /** The longest time in which the event loop did not turn, and what ran meanwhile. */
  readonly longestBlock: { readonly ms: number; readonly during: readonly string[] };
}

const planName = 'plan: manifests and checks';

interface Running {
  readonly name: string;
  readonly from: number;
  to: number;
  modules: number;
}

/** Follows one start from when it is made: times its parts, counts the modules that each loads, and watches the event loop. */
export class StartProfiler implements Disposable {
  readonly #parts: Running[] = [];
  readonly #current = new AsyncLocalStorage<Running>();
  readonly #watch = new LoopWatch();
  readonly #hooks = registerHooks({
    load: (url, context, next) => {
      if (!url.startsWith('node:')) this.#count();
      return next(url, context);
    },
  });
  #plannedAt: number | undefined;
  #planModules = 0;
  #ended = false;

  /** For the `around` of the kernel. */
  readonly around: Around = (part, work) => {
    // An optional plugin may start again later.
    if (this.#ended) return work();
    const from = performance.now();
    const running = { name: nameOf(part), from, to: from, modules: 0 };
    this.#parts.push(running);
    return this.#current.run(running, async () => {
      try {
        return await work();
      } finally {
        running.to = performance.now();
      }
    });
  };

  /** For when the plan holds. */
  planned(): void {
    this.#plannedAt = performance.now();
  }

  /** Ends the profile: the service is ready now. */
  ready(): StartProfile {
    const readyAt = performance.now();
    const { from, to } = this.#watch.end();
    this.#end();
    const spans = this.#spans(readyAt);
    // What only touches it did not cause it.
    const during = spans.filter(span => Math.min(span.to, to) - Math.max(span.from, from) >= (to - from) / 2);
    return {
      readyAfterMs: readyAt,
      lines: addUp(spans).map(line => (line.name === planName ? { ...line, modules: this.#planModules } : line)),
      longestBlock: { ms: to - from, during: during.map(({ name }) => name) },
    };
  }

  /** Does nothing after `ready`; otherwise the start failed, and there is no profile. */
  [Symbol.dispose](): void {
    if (this.#ended) return;
    this.#watch.end();
    this.#end();
  }

  #end(): void {
    this.#ended = true;
    this.#hooks.deregister();
  }

  #count(): void {
    const running = this.#current.getStore();
    if (running !== undefined) running.modules += 1;
    else if (this.#parts.length > 0 && this.#plannedAt === undefined) this.#planModules += 1;
  }

  /** Names the time between the parts as well. */
  #spans(readyAt: number): Span[] {
    const { bootstrapComplete } = performance.nodeTiming;
    const bounds = [
      { name: 'Node.js', until: bootstrapComplete },
      { name: 'Keelson: its own modules', until: this.#parts[0]?.from ?? readyAt },
      { name: planName, until: this.#plannedAt ?? readyAt },
      { name: 'Keelson: between the steps', until: readyAt },
    ];
    const between = gapsIn(this.#parts, readyAt).flatMap(gap => split(gap, bounds));
    return [...this.#parts, ...between];
  }
}

interface Bound {
  readonly name: string;
  readonly until: number;
}

/** Cuts a gap at the bounds, which are in the order of time. */
function split(gap: { readonly from: number; readonly to: number }, bounds: readonly Bound[]): Span[] {
  let begin = 0;
  return bounds.flatMap(({ name, until }) => {
    const from = Math.max(gap.from, begin);
    const to = Math.min(gap.to, until);
    begin = Math.max(begin, until);
    return to > from ? [{ name, from, to }] : [];
  });
}

function nameOf({ step, plugin }: StartPart): string {
  return plugin === undefined ? step : `${step} ${plugin}`;
}
