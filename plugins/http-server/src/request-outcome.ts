import type { IncomingMessage, ServerResponse } from 'node:http';
import { KeelsonError, type RequestSessionOptions } from '@keelson/core';
import type { EntityManager } from '@keelson/database/contract';
import type { Consistency } from './consistency.js';
import type { HandleError } from './error-handler.js';
import { holdResponse, type ResponseKeeper } from './held-response.js';
import type {
  OpenedSession,
  RequestSession,
  RequestSessions,
  RequestUnits,
  SessionSettings,
  UnitOptions,
} from './request-sessions.js';

export interface RequestOutcomeParts {
  readonly session: RequestSession;
  readonly sessions: RequestSessions;
  readonly settings: SessionSettings;
  /** What the service adds to them when a session is needed. */
  readonly whenUsed: (() => RequestSessionOptions) | undefined;
  readonly consistency: Consistency | undefined;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly handleError: HandleError;
}

/** Ends the session of a request once: with the answer, or with the client. */
export class RequestOutcome implements ResponseKeeper, RequestUnits {
  readonly #parts: RequestOutcomeParts;
  /** Aborts when the client disconnects; made when a session needs it. */
  #client: AbortController | undefined;
  /** Why what runs for the request ends early. */
  #gone: { readonly reason: unknown } | undefined;
  #map: ((error: unknown) => unknown) | undefined;
  #ended = false;
  #isStoring = false;
  #unitId: string | undefined;
  /** Of what was stored last. */
  #token: string | undefined;

  constructor(parts: RequestOutcomeParts) {
    this.#parts = parts;
    holdResponse(parts.response, this);
    parts.response.on('close', () => this.#close());
  }

  get isStoring(): boolean {
    return this.#isStoring;
  }

  get readOnly(): boolean {
    return this.#parts.settings.readOnly;
  }

  get signal(): AbortSignal {
    if (this.#client === undefined) {
      this.#client = new AbortController();
      if (this.#gone !== undefined) this.#client.abort(this.#gone.reason);
    }
    return this.#client.signal;
  }

  get em(): EntityManager {
    return this.#parts.session.open().em;
  }

  get usedId(): string | undefined {
    return this.#unitId ?? this.#parts.session.opened?.id;
  }

  /** One unit beside the session of the request. */
  run<T>(work: (em: EntityManager) => Promise<T>): Promise<T> {
    const { sessions, settings, whenUsed, consistency } = this.#parts;
    const options: UnitOptions = {
      ...settings,
      ...whenUsed?.(),
      signal: this.signal,
      onSession: id => this.#began(id),
    };
    if (consistency === undefined) return sessions.unit(work, options);
    return sessions.unit(work, { ...options, onToken: token => this.#setToken(token) });
  }

  read<T>(
    work: (em: EntityManager) => Promise<T>,
    { timeoutMs }: { readonly timeoutMs?: number | undefined },
  ): Promise<T> {
    const { sessions, settings, whenUsed } = this.#parts;
    const { name, after } = settings;
    const given: RequestSessionOptions = whenUsed?.() ?? {};
    return sessions.unit(work, {
      ...(after !== undefined && { after }),
      ...given,
      name: `${name}.rows`,
      readOnly: true,
      isolation: given.isolation === 'serializable' ? 'serializable' : 'repeatable read',
      retry: 'never',
      signal: this.signal,
      onSession: id => this.#began(id),
      ...(timeoutMs !== undefined && { timeoutMs }),
    });
  }

  async flush(): Promise<void> {
    if (!this.readOnly) await this.#parts.session.opened?.em.flush();
  }

  mapErrors(map: (error: unknown) => unknown): void {
    this.#map = map;
  }

  leave(): void {
    if (this.#token !== undefined) this.#setToken(this.#token);
  }

  #began(id: string): void {
    this.#unitId = id;
  }

  #setToken(token: string): void {
    const { consistency, response } = this.#parts;
    if (!response.headersSent) consistency?.put(response, token);
  }

  mustHold(): boolean {
    const { session } = this.#parts;
    if (session.opened !== undefined) return true;
    this.#ended = true;
    session.close();
    return false;
  }

  async begin(status: number): Promise<'let go' | 'finish with it'> {
    const session = this.#opened();
    if (status >= 400) await this.#rollback(session);
    else if (session.reading === 'no') await this.#commit(session);
    else if (session.reading === 'with writes') {
      await this.#rollback(session);
      throw answerWithinWrites();
    } else return 'finish with it';
    return 'let go';
  }

  finish(): Promise<void> {
    return this.#commit(this.#opened());
  }

  replace(error: unknown): void {
    const { handleError, request, response } = this.#parts;
    handleError(this.#mapped(error), request, response);
  }

  #mapped(error: unknown): unknown {
    if (this.#map === undefined) return error;
    try {
      return this.#map(error);
    } catch (failure) {
      return failure;
    }
  }

  /** The client has disconnected before the end of the answer: what runs for it ends. */
  abandon(): void {
    this.cutShort(new DOMException('The client has disconnected.', 'AbortError'));
    if (!this.#ended) void this.#parts.session.opened?.rollback();
  }

  /** A COMMIT that was sent goes on: its outcome would be unknown. */
  cutShort(reason: unknown): boolean {
    if (this.#gone !== undefined) return false;
    const { session } = this.#parts;
    this.#gone = { reason };
    const ends = this.#client !== undefined || session.opened !== undefined;
    this.#client?.abort(reason);
    session.abort(reason);
    return ends;
  }

  #close(): void {
    const { response, session } = this.#parts;
    if (this.#ended && response.writableFinished) session.close();
    else this.abandon();
  }

  #opened(): OpenedSession {
    return this.#parts.session.open();
  }

  async #commit(session: OpenedSession): Promise<void> {
    this.#ended = true;
    this.#isStoring = !this.readOnly;
    await session.commit();
    this.#token = session.consistencyToken;
  }

  #rollback(session: OpenedSession): Promise<void> {
    this.#ended = true;
    return session.rollback();
  }
}

function answerWithinWrites(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_ANSWER_WITHIN_SESSION',
    message: 'An answer started while the session of its request, which has changes to store, was reading rows.',
    hint: "Stream from a separate session: database.read(work, { nested: 'separate' }), or load the rows before the answer.",
  });
}
