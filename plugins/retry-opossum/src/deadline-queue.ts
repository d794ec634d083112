/** An entry of a `DeadlineQueue`; the queue keeps its place in it. */
export interface Due {
  /** When it is due, on the clock. */
  readonly at: number;
  place: number;
}

/** Entries by the time they are due: a binary heap that knows where each entry is, so that any can be taken out. */
export class DeadlineQueue<T extends Due> {
  readonly #heap: T[] = [];

  /** The entry that is due first. */
  get first(): T | undefined {
    return this.#heap[0];
  }

  add(entry: T): void {
    this.#put(entry, this.#heap.length);
    this.#rise(entry);
  }

  /** Takes `entry` out; nothing happens when it is not in. */
  delete(entry: T): void {
    if (this.#heap[entry.place] !== entry) return;
    const last = this.#heap.pop();
    if (last === undefined || last === entry) return;
    this.#put(last, entry.place);
    this.#rise(last);
    this.#sink(last);
  }

  #rise(entry: T): void {
    while (entry.place > 0) {
      const parent = this.#heap[(entry.place - 1) >> 1];
      if (parent === undefined || parent.at <= entry.at) return;
      this.#swap(parent, entry);
    }
  }

  #sink(entry: T): void {
    for (;;) {
      const left = this.#heap[entry.place * 2 + 1];
      const right = this.#heap[entry.place * 2 + 2];
      const child = right !== undefined && left !== undefined && right.at < left.at ? right : left;
      if (child === undefined || child.at >= entry.at) return;
      this.#swap(entry, child);
    }
  }

  #swap(upper: T, lower: T): void {
    const place = upper.place;
    this.#put(upper, lower.place);
    this.#put(lower, place);
  }

  #put(entry: T, place: number): void {
    entry.place = place;
    this.#heap[place] = entry;
  }
}
