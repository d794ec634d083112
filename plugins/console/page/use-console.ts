import { useEffect, useRef, useState } from 'preact/hooks';
import type {
  History,
  InstanceEntry,
  InstanceList,
  KeptRequest,
  Live,
  PlanAnswer,
  Requests,
  Sample,
} from '../src/model.ts';
import { Refused, read } from './ask.ts';

const everyMs = 1_000;
const instancesEveryMs = 4_000;
const mostSamples = 300;

/** What the page knows of one instance. */
export interface Seen {
  readonly live: Live | undefined;
  readonly samples: readonly Sample[];
  readonly history: History | undefined;
  readonly requests: readonly KeptRequest[];
  readonly plan: PlanAnswer | undefined;
  /** Why the last question had no answer, and since when. */
  readonly failure: { readonly message: string; readonly since: number } | undefined;
  readonly needsLogin: boolean;
}

const nothing: Seen = {
  live: undefined,
  samples: [],
  history: undefined,
  requests: [],
  plan: undefined,
  failure: undefined,
  needsLogin: false,
};

/** Asks one instance once a second while the page is visible, and for the rest when that has changed. */
export function useInstance(instance: string, login: number): Seen {
  const [seen, setSeen] = useState(nothing);
  useEffect(() => {
    const asking = new Asking(instance, setSeen);
    setSeen(nothing);
    return () => asking.end();
  }, [instance, login]);
  return seen;
}

class Asking {
  readonly #instance: string;
  readonly #show: (seen: Seen) => void;
  #seen = nothing;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ended = false;

  constructor(instance: string, show: (seen: Seen) => void) {
    this.#instance = instance;
    this.#show = show;
    document.addEventListener('visibilitychange', this.#look);
    void this.#ask();
  }

  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    document.removeEventListener('visibilitychange', this.#look);
  }

  readonly #look = (): void => {
    if (document.hidden) return;
    clearTimeout(this.#timer);
    void this.#ask();
  };

  async #ask(): Promise<void> {
    const startedAt = performance.now();
    try {
      this.#set({ ...(await this.#next()), failure: undefined, needsLogin: false });
    } catch (error) {
      if (error instanceof Refused && error.status === 401) this.#set({ needsLogin: true });
      else this.#fail(error);
    }
    if (this.#ended || document.hidden) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), Math.max(100, everyMs - (performance.now() - startedAt)));
  }

  async #next(): Promise<Partial<Seen>> {
    const { live: before, samples, history } = this.#seen;
    const instance = this.#instance;
    const live = await read<Live>('live', { instance, after: samples.at(-1)?.number ?? 0 });
    const isOther = before !== undefined && (before.pid !== live.pid || before.startedAt !== live.startedAt);
    // Another process answers at this place: what is known is of the one before.
    const old = isOther ? nothing : this.#seen;
    const all = isOther ? await read<Live>('live', { instance, after: 0 }) : live;
    const [nextHistory, requests, plan] = await Promise.all([
      old.history === undefined || history?.revision !== all.historyRevision || all.openOutage !== undefined
        ? read<History>('history', { instance })
        : old.history,
      this.#requests(old, all),
      old.plan === undefined || before?.phase !== all.phase ? read<PlanAnswer>('plan', { instance }) : old.plan,
    ]);
    return {
      live: all,
      samples: [...old.samples, ...all.samples].slice(-mostSamples),
      history: nextHistory,
      requests,
      plan,
    };
  }

  async #requests({ requests }: Seen, { lastRequest }: Live): Promise<readonly KeptRequest[]> {
    const after = Math.max(0, ...requests.map(({ id }) => id));
    if (lastRequest <= after) return requests;
    const answer = await read<Requests>('requests', { instance: this.#instance, after });
    const kept = new Set(answer.kept);
    return [...requests.filter(({ id }) => kept.has(id)), ...answer.requests];
  }

  #fail(error: unknown): void {
    const message = error instanceof Refused ? error.message : 'The service does not answer.';
    this.#set({ failure: { message, since: this.#seen.failure?.since ?? Date.now() } });
  }

  #set(change: Partial<Seen>): void {
    if (this.#ended) return;
    this.#seen = { ...this.#seen, ...change };
    this.#show(this.#seen);
  }
}

/** The instances that the page can show, looked for every few seconds. */
export function useInstances(login: number): readonly InstanceEntry[] {
  const [instances, setInstances] = useState<readonly InstanceEntry[]>([]);
  useEffect(() => {
    let ended = false;
    const ask = async () => {
      if (document.hidden) return;
      try {
        const { instances: found } = await read<InstanceList>('instances');
        if (!ended) setInstances(found);
      } catch {
        // The page of the instance itself says why.
      }
    };
    void ask();
    const timer = setInterval(() => void ask(), instancesEveryMs);
    return () => {
      ended = true;
      clearInterval(timer);
    };
  }, [login]);
  return instances;
}

/** The value of the render before. */
export function usePrevious<Value>(value: Value): Value | undefined {
  const kept = useRef<Value | undefined>(undefined);
  const before = kept.current;
  kept.current = value;
  return before;
}
