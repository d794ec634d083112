/** What a handler gets. */
export type ChannelEvent<Payload = string> =
  /** A transaction that sent this message has committed. */
  | { readonly is: 'message'; readonly channel: string; readonly payload: Payload }
  /** Messages may be missing before this event: look at the tables. */
  | { readonly is: 'gap'; readonly channel: string; readonly reason: GapReason };

/**
 * `started`: nothing from before `listen` resolved is delivered. `reconnected`: the connection was lost, and messages
 * with it. `overflow`: messages came faster than the handler took them, and those that waited were dropped. `resumed`:
 * delivery was paused, and messages that came meanwhile were dropped.
 */
export type GapReason = 'started' | 'reconnected' | 'overflow' | 'resumed';

/** Called with one event after the other; the next waits until the promise has settled. In no session. */
export type ChannelHandler<Payload = string> = (event: ChannelEvent<Payload>) => unknown;

/** A message that the schema did not accept. */
export interface InvalidMessage {
  readonly channel: string;
  /** As it came. */
  readonly text: string;
  /** Those of the schema; one of ours when the text is no JSON. */
  readonly issues: readonly { readonly message: string }[];
}

/** What checks a payload: a schema of zod 4, or of any library that follows Standard Schema (standardschema.dev). */
export interface PayloadSchema<Payload> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => PayloadVerdict<Payload> | Promise<PayloadVerdict<Payload>>;
    readonly types?: { readonly input: unknown; readonly output: Payload } | undefined;
  };
}

export type PayloadVerdict<Payload> =
  | { readonly value: Payload; readonly issues?: undefined }
  | { readonly issues: readonly { readonly message: string }[] };

export interface ListenOptions {
  /** Most events that wait for the handler. One more drops them and leaves a gap. Default: `listen.maxQueued`. */
  readonly maxQueued?: number;
  /** Longest wait until the server confirms, in ms. Default: `connect.timeoutMs` of the configuration. */
  readonly timeoutMs?: number;
  /** Aborting it closes the subscription. */
  readonly signal?: AbortSignal;
}

export interface ListenSchemaOptions<Payload> extends ListenOptions {
  /** Checks each payload, which must be JSON then; the handler gets what the schema returns. */
  readonly schema: PayloadSchema<Payload>;
  /** Called instead of the handler, in its place in the order. Default: a log line without the text. */
  readonly onInvalid?: (message: InvalidMessage) => unknown;
}

/** One handler of one channel. */
export interface Subscription extends AsyncDisposable {
  readonly channel: string;
  /**
   * The handler is not called any more. Resolves when it has returned, and at once when it is the caller. Never rejects.
   */
  close(): Promise<void>;
}

/** How the service stands to the channels that it listens to. */
export interface ListeningStats {
  /** `connecting` while the connection is away; each handler gets a gap once it is back. */
  readonly state: 'connecting' | 'listening' | 'closed';
  readonly since: Date;
  /** Why it is `connecting`, when a connection was lost or refused. */
  readonly cause?: unknown;
  readonly channels: number;
  readonly subscriptions: number;
  /** Events that wait for their handlers. */
  readonly queued: number;
  readonly counters: {
    readonly received: number;
    readonly gaps: Readonly<Record<GapReason, number>>;
    readonly invalid: number;
    /** Calls of a handler that failed. */
    readonly failed: number;
  };
}
