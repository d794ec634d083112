import { type HttpHandler, KeelsonError } from '@keelson/core';

/**
 * A router of Express: it needs an application, which gives its requests and responses the methods of Express. Such an
 * application is a handler like any other.
 */
export function isExpressRouter(handler: HttpHandler): boolean {
  return (
    'stack' in handler &&
    Array.isArray(handler.stack) &&
    'handle' in handler &&
    typeof handler.handle === 'function' &&
    !('request' in handler)
  );
}

export function expressRouterRefused(at: string): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_EXPRESS_ROUTER',
    message: `The handler at ${at} is a router of Express, and the server of this service is Fastify.`,
    hint:
      'Write it with route(), wrap it in an application (express().use(router)), or use @keelson/http-express. ' +
      "If a plugin needs Express, declare it in its manifest, so that keelson check reports this: needsCapabilities: { http: ['express'] }.",
    facts: { at },
  });
}
