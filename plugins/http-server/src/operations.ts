import { defineOperation, type Operation } from '@keelson/core';
import { middlewareStages, type OrderedMiddleware } from '@keelson/http';
import { z } from 'zod';
import type { HttpOptions } from './options.js';

/** What an operator may ask of a running server. */
export function httpOperations(server: {
  readonly middleware: OrderedMiddleware | undefined;
}): Record<string, Operation<unknown, HttpOptions>> {
  return {
    middleware: defineOperation({
      description: 'Shows the middleware in the order in which requests pass it. Changes nothing.',
      arguments: z.object({}),
      run: () => ({ done: describeMiddleware(server.middleware), changed: false }),
    }),
  };
}

/** `early: compression, helmet /docs; routes: audit`. */
function describeMiddleware(ordered: OrderedMiddleware | undefined): string {
  if (ordered === undefined) return 'The order is fixed when the service is ready. Run the command again then.';
  const stages = middlewareStages.flatMap(stage => {
    const names = ordered[stage].map(({ name, path }) => (path === undefined ? name : `${name} ${path}`));
    return names.length === 0 ? [] : [`${stage}: ${names.join(', ')}`];
  });
  return stages.length === 0 ? 'No plugin adds middleware.' : `Requests pass ${stages.join('; ')}.`;
}
