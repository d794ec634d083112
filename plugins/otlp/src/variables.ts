type Variables = Readonly<Record<string, string | undefined>>;

export type Protocol = 'http/protobuf' | 'http/json';

/** Reads the variables of OpenTelemetry. One that cannot be used counts as left out, as its specification has it. */
export class VariableReader {
  readonly #variables: Variables;
  readonly #unusable: string[] = [];

  constructor(variables: Variables) {
    this.#variables = variables;
  }

  /** Names of the variables read so far whose values cannot be used. */
  get unusable(): readonly string[] {
    return this.#unusable;
  }

  /** Returns the parsed value; undefined for a variable that is empty, left out, or that `parse` cannot read. */
  read<T>(name: string, parse: (text: string) => T | undefined): T | undefined {
    const text = this.#variables[name]?.trim();
    if (text === undefined || text === '') return undefined;
    const value = parse(text);
    if (value === undefined) this.#unusable.push(name);
    return value;
  }

  count(name: string): number | undefined {
    return this.read(name, text => (/^[1-9]\d{0,8}$/.test(text) ? Number(text) : undefined));
  }

  oneOf<const Value extends string>(name: string, values: readonly Value[]): Value | undefined {
    return this.read(name, text => values.find(value => value === text));
  }

  protocol(name: string): Protocol | undefined {
    return this.oneOf(name, ['http/protobuf', 'http/json']);
  }

  /** True when `OTEL_SDK_DISABLED` is `true`: it wins over every option. */
  get isDisabled(): boolean {
    return this.read('OTEL_SDK_DISABLED', text => text.toLowerCase() === 'true') === true;
  }
}
