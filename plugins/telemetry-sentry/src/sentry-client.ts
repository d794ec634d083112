import * as Sentry from '@sentry/node';
import { createEventMask, type EventMask } from './event-mask.js';
import type { TelemetrySentryOptions } from './options.js';

/** The configured Sentry client, as far as the telemetry needs it. */
export interface SentryClient {
  readonly mask: EventMask;
  readonly errorsPerMinute: number;
  readonly maxBreadcrumbs: number;
  /** Number of envelopes so far that were refused or could not be sent. */
  lostEnvelopes(): number;
}

/** Hooks that change what is sent; they are code, so a configuration file cannot have them. */
export interface SentryHooks {
  /**
   * Receives each event, masked, and returns what is sent; null sends nothing. What it adds is masked, too. When it throws,
   * the event is sent as it was.
   */
  readonly beforeSend?: (event: Sentry.ErrorEvent) => Sentry.ErrorEvent | null;
}

/**
 * Sets Sentry up in this process and, with `instrumentModules`, hooks the modules that load from now on. Connects to
 * nothing. Every integration is named: the defaults of Sentry would report errors a second time or reads what users
 * send.
 */
export function initSentry(options: TelemetrySentryOptions, hooks: SentryHooks = {}): SentryClient {
  const mask = createEventMask(options.secretKeys, options.maxBreadcrumbs);
  let lost = 0;
  Sentry.init({
    ...(options.dsn === undefined ? {} : { dsn: options.dsn }),
    ...(options.environment === undefined ? {} : { environment: options.environment }),
    ...(options.release === undefined ? {} : { release: options.release }),
    sampleRate: options.errorSampleRate,
    tracesSampleRate: options.tracesSampleRate,
    traceLifecycle: 'stream',
    tracePropagationTargets: options.propagateTracesTo,
    enableRuntimeChannelInjection: options.instrumentModules,
    defaultIntegrations: false,
    integrations: integrationsFor(options),
    dataCollection: nothingPrivate,
    maxBreadcrumbs: options.maxBreadcrumbs,
    transportOptions: { bufferSize: waitingEnvelopes },
    transport: transportOptions => {
      const transport = Sentry.makeNodeTransport(transportOptions);
      return { ...transport, send: envelope => counted(transport.send(envelope), () => lost++) };
    },
    beforeSend: (event, hint) => {
      const masked = mask.event(event, hint.originalException);
      const changed = changedBy(hooks, masked);
      return changed && mask.event(changed, hint.originalException);
    },
    beforeSendSpan: span => mask.span(span),
  });
  const { errorsPerMinute, maxBreadcrumbs } = options;
  return { mask, errorsPerMinute, maxBreadcrumbs, lostEnvelopes: () => lost };
}

/** Gets a copy, so that a hook that throws half-way changes nothing, and no hint: attachments would not be masked. */
function changedBy({ beforeSend }: SentryHooks, event: Sentry.ErrorEvent): Sentry.ErrorEvent | null {
  if (beforeSend === undefined) return event;
  try {
    return beforeSend(structuredClone(event));
  } catch {
    return event;
  }
}

/** Each trace is an envelope, and a flush sends all at once: of Sentry's own limit of 64 the rest would be dropped. */
const waitingEnvelopes = 2_000;

const nothingPrivate = {
  userInfo: false,
  cookies: false,
  httpHeaders: false,
  httpBodies: [],
  urlQueryParams: false,
  graphQL: { document: false, variables: false },
  genAI: { inputs: false, outputs: false },
  mcp: { inputs: false, outputs: false },
  databaseQueryData: false,
  queues: false,
  stackFrameVariables: false,
};

function integrationsFor(options: TelemetrySentryOptions) {
  return [
    Sentry.eventFiltersIntegration(),
    Sentry.functionToStringIntegration(),
    Sentry.linkedErrorsIntegration(),
    Sentry.nodeContextIntegration(),
    ...(options.sourceContext ? [Sentry.contextLinesIntegration()] : []),
    ...(options.instrumentModules ? modulesFor(options) : []),
  ];
}

function modulesFor(options: TelemetrySentryOptions) {
  return [
    Sentry.requestDataIntegration(),
    Sentry.httpIntegration({
      breadcrumbs: false,
      sessions: false,
      maxRequestBodySize: 'none',
      ignoreIncomingRequests: url => options.ignorePaths.includes(pathOf(url)),
    }),
    Sentry.nativeNodeFetchIntegration({ breadcrumbs: false }),
    Sentry.postgresIntegration({ ignoreConnectSpans: true }),
    // The error handler of the service reports errors; the express integration only adds route names.
    Sentry.expressIntegration({ shouldHandleError: false }),
  ];
}

function pathOf(url: string): string {
  return url.replace(/[?#].*$/s, '');
}

async function counted<T extends { statusCode?: number }>(sending: PromiseLike<T>, onLost: () => void): Promise<T> {
  try {
    const response = await sending;
    const { statusCode } = response;
    if (statusCode === undefined || statusCode < 200 || statusCode >= 300) onLost();
    return response;
  } catch (error) {
    onLost();
    throw error;
  }
}
