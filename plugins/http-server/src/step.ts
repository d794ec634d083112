import type { IncomingMessage, ServerResponse } from 'node:http';

export type Next = (error?: unknown) => void;

/** One step in the handling of a request: it answers, or calls `next`. With an error, `next` skips the steps after it. */
export type Step = (request: IncomingMessage, response: ServerResponse, next: Next) => unknown;

/** Runs the steps one after the other, each when the one before it calls `next`. The first error ends them. */
export function inTurn(steps: readonly Step[]): Step {
  return (request, response, done) => {
    let at = 0;
    const next = (error?: unknown): void => {
      const step = steps[at++];
      if (step === undefined || (error !== undefined && error !== null)) {
        done(error);
        return;
      }
      try {
        const result = step(request, response, next);
        if (result instanceof Promise) result.catch(done);
      } catch (thrown) {
        done(thrown);
      }
    };
    next();
  };
}
