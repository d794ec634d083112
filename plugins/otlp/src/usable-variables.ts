import type { Diagnosis, Logger } from '@keelson/core';

/** Logs which variables of OpenTelemetry are ignored. */
export function warnOfUnusable(unusable: readonly string[], logger: Logger): void {
  if (unusable.length === 0) return;
  logger.warn('variables of OpenTelemetry ignored: their values are invalid', { variables: unusable });
}

/** What `keelson doctor` says of the variables. Nothing is sent. */
export function diagnosisOf(isEnabled: boolean, unusable: readonly string[]): Diagnosis {
  if (!isEnabled) return { name: 'sending', status: 'pass', output: 'Switched off: nothing is sent.' };
  if (unusable.length === 0) {
    return { name: 'sending', status: 'pass', output: 'A receiver is set; nothing was sent to test it.' };
  }
  return {
    name: 'sending',
    status: 'warn',
    output: `Ignored, because their values are invalid: ${unusable.join(', ')}.`,
    hint: 'Set these variables to valid values, or set the options of the plugin instead.',
  };
}
