import { isDeepStrictEqual } from 'node:util';
import { requestShapes } from './requests.js';
import type { RunningService } from './running-service.js';

/**
 * All services answer the same, but for the ids and times that they make.
 *
 * @throws Error naming the first that does not.
 */
export async function assertAlike(services: readonly RunningService[]): Promise<void> {
  const [first, ...others] = services;
  if (first === undefined) return;
  for (const shape of requestShapes) {
    const expected = await answerOf(first, shape);
    for (const service of others) {
      const answer = await answerOf(service, shape);
      if (isDeepStrictEqual(answer, expected)) continue;
      const [theirs, ours] = [answer, expected].map(each => JSON.stringify(each).slice(0, 500));
      const names = `${service.kind.name} and ${first.kind.name}`;
      throw new Error(`${names} answer ${shape.method} ${shape.path} differently:\n${theirs}\n${ours}`);
    }
  }
}

type Shape = (typeof requestShapes)[number];

async function answerOf({ port }: RunningService, { method, path, body }: Shape) {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  return { status: response.status, body: withoutMadeValues(await response.json()) };
}

/** Orders have taken from the stock meanwhile, and each has an id and a time of its own. */
function withoutMadeValues(body: unknown): unknown {
  const made = new Map([
    ['stock', 'number'],
    ['createdAt', 'string'],
  ]);
  return JSON.parse(JSON.stringify(body), (key, value) => {
    const isMade = made.get(key) === typeof value || (key === 'id' && typeof value === 'string');
    return isMade ? `any ${key}` : value;
  });
}
