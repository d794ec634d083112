import type { z } from 'zod';
import type { RowStream } from './row-stream.js';

/** What a route may answer with one status. */
export interface AnswerDescription {
  /** One sentence for readers of the API. Default: the name of the status. */
  readonly description?: string;
  /** The body, as JSON has it. Left out: the answer has no body. */
  readonly body?: z.ZodType;
  /** One row of an answer that is read while it is sent, as NDJSON or CSV: the handler returns `rowsOf(...)`. Without `body`. */
  readonly rows?: z.ZodType;
  /** The headers that matter to clients, by name, with one sentence each. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** By status. A schema alone stands for `{ body: schema }`. */
export type AnswerDescriptions = Readonly<Record<number, z.ZodType | AnswerDescription>>;

/**
 * A value that JSON.stringify turns into `T`: where JSON has a text there may be a Date, or another object with `toJSON`.
 */
export type AsJson<T> = string extends T
  ? T | { toJSON(): unknown }
  : T extends readonly (infer Item)[]
    ? readonly AsJson<Item>[]
    : T extends object
      ? { readonly [Key in keyof T]: AsJson<T[Key]> }
      : T;

type BodyOf<Description> = Description extends z.ZodType
  ? { readonly body: AsJson<z.input<Description>> }
  : Description extends { readonly body: infer Body extends z.ZodType }
    ? { readonly body: AsJson<z.input<Body>> }
    : Description extends { readonly rows: infer Row extends z.ZodType }
      ? { readonly body: RowStream<AsJson<z.input<Row>>> }
      : { readonly body?: undefined };

/** 200 may be left out. */
type StatusOf<Status> = Status extends 200 ? { readonly status?: 200 } : { readonly status: Status };

/** The answers that `Descriptions` allows; the status decides on the type of the body. */
export type AnswerOf<Descriptions extends AnswerDescriptions> = {
  [Status in keyof Descriptions]: StatusOf<Status> &
    BodyOf<Descriptions[Status]> & { readonly headers?: Readonly<Record<string, string>> };
}[keyof Descriptions];

/** An answer of any route. */
export interface Answer {
  /** Default 200. From 400 on, nothing of the unit is stored. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON, or row by row when it is a `RowStream`; left out, the answer has no body. */
  readonly body?: unknown;
}
