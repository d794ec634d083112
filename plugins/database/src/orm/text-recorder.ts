import { spliced } from './bound-statement.js';

/** Values that MikroORM passes to a statement as they are. */
export type PlainValue = string | number | bigint | boolean;

/** What the first statement of a shape has shown. */
export type KnownText =
  | { readonly is: 'built'; readonly sql: string }
  | { readonly is: 'left to MikroORM'; readonly sql?: undefined };

/** Where a recorder rides in the logger context, which MikroORM hands down to the connection. */
const key = 'keelson.text-recorder';

/** Takes note of the text that MikroORM builds for a statement. */
export class TextRecorder {
  readonly #parameters: readonly unknown[];
  readonly #ending: string;
  #text: KnownText | undefined;

  /** The text stands for others of its shape when it ends with `ending`, and `parameters` are all that it was given. */
  constructor(parameters: readonly unknown[], ending: string) {
    this.#parameters = parameters;
    this.#ending = ending;
  }

  /** Undefined until a statement was sent. */
  get text(): KnownText | undefined {
    return this.#text;
  }

  /** A second statement shows that one text is not all. */
  sent(given: string, givenValues: readonly unknown[]): void {
    const { sql, values } = spliced(given, givenValues);
    const isFirst = this.#text === undefined;
    this.#text = isFirst && this.#isPlain(sql, values) ? { is: 'built', sql } : { is: 'left to MikroORM' };
  }

  get options(): { readonly loggerContext: Record<string, unknown> } {
    return { loggerContext: { [key]: this } };
  }

  #isPlain(sql: string, values: readonly unknown[]): boolean {
    const expected = this.#parameters;
    if (values.length !== expected.length || !sql.endsWith(this.#ending)) return false;
    return expected.every((value, at) => value === values[at]);
  }
}

/** The recorder of the call that sends a statement. */
export function textRecorderOf(loggerContext: object | undefined): TextRecorder | undefined {
  const recorder: unknown = loggerContext && Reflect.get(loggerContext, key);
  return recorder instanceof TextRecorder ? recorder : undefined;
}
