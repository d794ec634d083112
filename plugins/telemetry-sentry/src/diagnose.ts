import type { Diagnosis } from '@keelson/core';
import { loadedWithoutHooks } from './loaded-modules.js';
import type { TelemetrySentryOptions } from './options.js';

/** Returns the findings of `keelson doctor` on Sentry. Makes no connection: it does not test the DSN. */
export function diagnoseTelemetry(options: TelemetrySentryOptions, tooEarly: readonly string[]): readonly Diagnosis[] {
  if (!options.enabled) return [pass('sending', 'Switched off: nothing is sent to Sentry.')];
  const sending = pass('sending', 'A DSN is set; no event was sent to test it.');
  return options.instrumentModules ? [sending, aboutHooks(tooEarly)] : [sending];
}

function aboutHooks(tooEarly: readonly string[]): Diagnosis {
  const unhooked = [...new Set([...tooEarly, ...loadedWithoutHooks()])];
  if (unhooked.length === 0) return pass('hooks', 'Every module that is traced was hooked as it was loaded.');
  return {
    name: 'hooks',
    status: 'warn',
    output: `Loaded without the hooks of Sentry: ${unhooked.join(', ')}. Their spans will be missing.`,
    hint: 'Start the service with keelson start, or call Kernel.start before any import of these modules.',
  };
}

function pass(name: string, output: string): Diagnosis {
  return { name, status: 'pass', output };
}
