import { currentContext, describeError, type ErrorContext, errorKindOf, type Facts } from '@keelson/core';
import type { TelemetryMask } from '@keelson/core/telemetry';
import type { Attributes, AttributeValue } from '@opentelemetry/api';
import type { TimedBreadcrumb } from './breadcrumbs.js';

export interface ErrorSurroundings {
  readonly context: ErrorContext;
  readonly noted: Facts | undefined;
  readonly skipped: number;
  readonly attached: ReadonlyMap<string, Facts>;
  readonly breadcrumbs: readonly TimedBreadcrumb[];
}

/** The attributes that OpenTelemetry has for an exception. */
export function exceptionOf(error: unknown): Attributes & { 'exception.message': string } {
  const { name, message, stack } = describeError(error);
  return {
    'exception.type': name,
    'exception.message': message,
    ...(stack !== undefined && { 'exception.stacktrace': stack }),
  };
}

/** The attributes of the log record of an error: the exception, and all that helps to understand it. Structured facts are JSON. */
export function recordOf(error: unknown, surroundings: ErrorSurroundings, mask: TelemetryMask): Attributes {
  const { context, noted, skipped, attached, breadcrumbs } = surroundings;
  const about = mask.facts(noted, context.facts);
  const { stack, name, message, ...parts } = describeError(error);
  const { requestId, sessionId } = currentContext();
  const optional: Readonly<Record<string, AttributeValue | undefined>> = {
    'keelson.operation': context.operation,
    'keelson.request.id': requestId,
    'keelson.session.id': sessionId,
    'keelson.error.hint': parts.hint,
    'keelson.not_reported_before': skipped === 0 ? undefined : skipped,
    'keelson.facts': isEmpty(about) ? undefined : json(about),
    'keelson.error': isEmpty(parts) ? undefined : json(mask.facts(parts)),
    'keelson.breadcrumbs': breadcrumbs.length === 0 ? undefined : breadcrumbs.map(crumb => lineOf(crumb, mask)),
  };
  const given = Object.entries(optional).filter(([, value]) => value !== undefined);
  const states = [...attached].map(([part, facts]) => [`keelson.state.${part}`, json(mask.facts(facts))]);
  return { ...exceptionOf(error), 'error.type': errorKindOf(error), ...Object.fromEntries([...given, ...states]) };
}

function lineOf({ at, category, level = 'info', message, facts }: TimedBreadcrumb, mask: TelemetryMask): string {
  const words = `${at.toISOString()} ${level} ${category}: ${mask.text(message)}`;
  return facts === undefined ? words : `${words} ${json(mask.facts(facts))}`;
}

function isEmpty(facts: object | undefined): boolean {
  return facts === undefined || Object.keys(facts).length === 0;
}

function json(value: unknown): string {
  return JSON.stringify(value) ?? '';
}
