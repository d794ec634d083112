import { registerHooks } from 'node:module';
import { typed } from '../../plan/source-file.js';

/**
 * Lets this process import TypeScript as it is written: `import './order.js'` finds `order.ts` when there is no `order.js`.
 * Node.js removes the types.
 */
export function runSources(): void {
  registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        const source = /^(\.{1,2}\/|file:)/.test(specifier) ? typed(specifier) : undefined;
        if (source === undefined || !isMissing(error)) throw error;
        return next(source, context);
      }
    },
  });
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND';
}
