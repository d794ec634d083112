import { KeelsonError } from '@keelson/core';

export function notReady(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_NOT_READY',
    message: 'A request arrived before the service was ready.',
    http: unavailable('The service is starting.'),
  });
}

export function stopping(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_STOPPING',
    message: 'A request arrived while the service was stopping.',
    http: unavailable('The service is stopping; another instance may answer.'),
  });
}

export function unknownRoute(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_ROUTE_UNKNOWN',
    message: 'No route answers the method and path of a request.',
    http: { status: 404, title: 'Not found', detail: 'No route answers this method and path.' },
  });
}

export function sessionRuleTaken(): KeelsonError {
  return new KeelsonError({
    code: 'HTTP_SESSION_RULE_TAKEN',
    message: 'Two plugins set the rule for the sessions of requests; a service can have one rule.',
    hint: 'Set one rule, in one plugin: http.session(request => ({ session: { variables, role } })).',
  });
}

function unavailable(detail: string) {
  return { status: 503, title: 'Service unavailable', detail, retryAfterMs: 1_000 };
}
