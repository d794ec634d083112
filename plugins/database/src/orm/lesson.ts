/** Values that MikroORM passes to a statement as they are. */
export type PlainValue = string | number | bigint | boolean;

/** MikroORM's limit of a read of one entity is the last parameter. */
export const limit = 1;

/** What the first read of a shape has shown. */
export type KnownText =
  | { readonly is: 'built'; readonly sql: string }
  | { readonly is: 'left to MikroORM'; readonly sql?: undefined };

/** Where a lesson rides in the logger context, which MikroORM hands down to the connection. */
const key = 'keelson.lesson';

/** Takes note of the statement that MikroORM sends for a read. */
export class Lesson {
  readonly #values: readonly PlainValue[];
  #text: KnownText | undefined;

  constructor(values: readonly PlainValue[]) {
    this.#values = values;
  }

  /** Undefined until a statement was sent. */
  get text(): KnownText | undefined {
    return this.#text;
  }

  /** The text stands for the shape when its parameters are exactly the compared values and its limit, and it is the only one. */
  sent(sql: string, parameters: readonly unknown[]): void {
    const isOnly = this.#text === undefined;
    this.#text = isOnly && this.#isPlain(sql, parameters) ? { is: 'built', sql } : { is: 'left to MikroORM' };
  }

  #isPlain(sql: string, parameters: readonly unknown[]): boolean {
    const expected = [...this.#values, limit];
    if (parameters.length !== expected.length || !sql.endsWith(' limit ?')) return false;
    return expected.every((value, at) => value === parameters[at]);
  }

  get options(): { readonly loggerContext: Record<string, unknown> } {
    return { loggerContext: { [key]: this } };
  }
}

/** The lesson of the read that sends a statement. */
export function lessonOf(loggerContext: object | undefined): Lesson | undefined {
  const lesson: unknown = loggerContext && Reflect.get(loggerContext, key);
  return lesson instanceof Lesson ? lesson : undefined;
}
