import type { CallerAnswer, Outage, Trouble } from '../model.js';
import { Ring } from './ring.js';
import type { EndedRequest } from './traffic.js';

const mostOutages = 30;
const mostTroubles = 40;
/** Different answers of one outage; further ones are counted as one. */
const mostAnswers = 40;
/** What is seen in answers has no end of its own: it is over when it was not seen for this long. */
const lastsMs = 2_500;
/** A trouble that returns within this time belongs to the same outage. */
const quietMs = 5_000;

interface OpenTrouble {
  readonly what: string;
  readonly kind: string | undefined;
  readonly startedAt: number;
  endedAt: number | undefined;
  /** When it was seen last, of one that ends by itself. */
  seenAt: number | undefined;
}

interface NewTrouble {
  readonly what: string;
  readonly kind: string | undefined;
  /** Nothing says when it is over. */
  readonly endsItself: boolean;
}

/** An outage from its first trouble until the last one is over; what callers got meanwhile. */
class OpenOutage {
  readonly id: number;
  readonly startedAt: number;
  readonly #troubles: OpenTrouble[] = [];
  readonly #active = new Map<string, OpenTrouble>();
  readonly #answers = new Map<string, { status: number | undefined; code: string | undefined; count: number }>();
  #others = 0;
  repeated = 0;
  /** Of the trouble that was over last. */
  lastEndedAt: number;

  constructor(id: number, startedAt: number) {
    this.id = id;
    this.startedAt = startedAt;
    this.lastEndedAt = startedAt;
  }

  get isActive(): boolean {
    return this.#active.size > 0;
  }

  /** True when the trouble is new. */
  begin(key: string, { what, kind, endsItself }: NewTrouble, at: number): boolean {
    const known = this.#active.get(key);
    const seenAt = endsItself ? at : undefined;
    if (known?.what === what) {
      known.seenAt = seenAt;
      return false;
    }
    this.end(key, at);
    const before = endsItself ? this.#troubles.findLast(each => each.what === what) : undefined;
    if (before !== undefined) {
      // It was not seen for a while, and goes on.
      [before.endedAt, before.seenAt] = [undefined, at];
      this.#active.set(key, before);
      return true;
    }
    const trouble: OpenTrouble = { what, kind, startedAt: at, endedAt: undefined, seenAt };
    this.#active.set(key, trouble);
    if (this.#troubles.length < mostTroubles) this.#troubles.push(trouble);
    return true;
  }

  end(key: string, at: number): void {
    const trouble = this.#active.get(key);
    if (trouble === undefined) return;
    trouble.endedAt = at;
    this.#active.delete(key);
    this.lastEndedAt = Math.max(this.lastEndedAt, at);
  }

  /** Ends what is over by itself. */
  settle(now: number): void {
    for (const [key, { seenAt }] of this.#active) {
      if (seenAt !== undefined && now - seenAt >= lastsMs) this.end(key, seenAt);
    }
  }

  count({ status, code }: EndedRequest): void {
    const known = this.#answers.get(`${status} ${code}`);
    if (known !== undefined) known.count += 1;
    else if (this.#answers.size < mostAnswers) this.#answers.set(`${status} ${code}`, { status, code, count: 1 });
    else this.#others += 1;
  }

  toJson(): Outage {
    const answers = [...this.#answers.values()].sort((a, b) => b.count - a.count);
    return {
      id: this.id,
      startedAt: this.startedAt,
      ...(!this.isActive && { endedAt: this.lastEndedAt }),
      troubles: this.#troubles.map(
        ({ what, kind, startedAt, endedAt }): Trouble => ({
          what,
          ...(kind !== undefined && { kind }),
          startedAt,
          ...(endedAt !== undefined && { endedAt }),
        }),
      ),
      answers: answers.map(
        ({ status, code, count }): CallerAnswer => ({
          ...(status !== undefined && { status }),
          ...(code !== undefined && { code }),
          count,
        }),
      ),
      others: this.#others,
      repeated: this.repeated,
    };
  }
}

/** Answers that say that a part of the service is away or overloaded; 500 is a defect, not an outage. */
const outageStatuses = new Set([502, 503, 504]);
/** A service that starts or stops says so. */
const ordinaryCodes = new Set(['HTTP_STOPPING', 'HTTP_NOT_READY']);

/** The outages since the start, each with its troubles and what callers got. Uses no timer. */
export class Outages {
  readonly #now: () => number;
  readonly #over = new Ring<OpenOutage>(mostOutages);
  #open: OpenOutage | undefined;
  #lastId = 0;
  #revision = 0;

  /** `now` in milliseconds since 1970. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Grows with each change that the page should show. */
  get revision(): number {
    this.#settle(this.#now());
    return this.#revision;
  }

  get open(): Outage | undefined {
    this.#settle(this.#now());
    return this.#open?.isActive === true ? this.#open.toJson() : undefined;
  }

  /** `key` names the trouble for its end. */
  begin(key: string, what: string, kind?: string): void {
    this.#begin(key, { what, kind, endsItself: false });
  }

  end(key: string): void {
    const now = this.#now();
    this.#open?.end(key, now);
    this.#revision += 1;
    this.#settle(now);
  }

  /** A session lost its connection and is run again. */
  repeated(kind: string): void {
    const what = 'sessions lost their connection and were run again';
    const outage = this.#begin('connections', { what, kind, endsItself: true });
    outage.repeated += 1;
  }

  answered(request: EndedRequest): void {
    const { status, code } = request;
    if (status !== undefined && outageStatuses.has(status) && !ordinaryCodes.has(code ?? '')) {
      this.#begin('answers', { what: 'callers were refused', kind: code, endsItself: true }).count(request);
      return;
    }
    if (this.#open === undefined) return;
    this.#settle(this.#now());
    if (this.#open?.isActive === true) this.#open.count(request);
  }

  /** The latest first. */
  all(): Outage[] {
    this.#settle(this.#now());
    const over = this.#over.values().reverse();
    return [...(this.#open === undefined ? [] : [this.#open]), ...over].map(outage => outage.toJson());
  }

  #begin(key: string, trouble: NewTrouble): OpenOutage {
    const now = this.#now();
    this.#settle(now);
    this.#open ??= this.#make(now);
    if (this.#open.begin(key, trouble, now)) this.#revision += 1;
    return this.#open;
  }

  #make(now: number): OpenOutage {
    this.#lastId += 1;
    return new OpenOutage(this.#lastId, now);
  }

  #settle(now: number): void {
    const open = this.#open;
    if (open === undefined) return;
    const wasActive = open.isActive;
    open.settle(now);
    if (wasActive && !open.isActive) this.#revision += 1;
    if (open.isActive || now - open.lastEndedAt < quietMs) return;
    this.#over.push(open);
    this.#open = undefined;
    this.#revision += 1;
  }
}
