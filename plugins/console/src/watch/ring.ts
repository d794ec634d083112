/** The latest values, at most `size` of them. */
export class Ring<Value> {
  readonly #size: number;
  readonly #values: Value[] = [];
  /** Of the oldest value, once it is full. */
  #first = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get length(): number {
    return this.#values.length;
  }

  push(value: Value): void {
    if (this.#values.length < this.#size) this.#values.push(value);
    else {
      this.#values[this.#first] = value;
      this.#first = (this.#first + 1) % this.#size;
    }
  }

  /** The oldest first. */
  values(): Value[] {
    return [...this.#values.slice(this.#first), ...this.#values.slice(0, this.#first)];
  }
}
