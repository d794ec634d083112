import type { Request } from '../clients/request.ts';
import type { Stage } from '../scenario/stage.ts';
import type { World } from '../world/world.ts';

/**
 * Units that asked for `serializable` are as if they had run one after the other. The lists say in which order they wrote, and
 * what each has read says between which two writes it came: these orders must not contradict each other (as Elle checks
 * histories of list-append).
 */
export function checkOrder(world: World, stage: Stage, requests: readonly Request[]): void {
  if (stage.history.stored.some(({ lostAtMs }) => lostAtMs !== undefined)) return;
  const serial = new Map(
    requests
      .filter(({ answer, isolation }) => answer?.is === 'stored' && isolation === 'serializable')
      .map(request => [request.unit, request]),
  );
  const later = new Map<string, Set<string>>();
  const comesBefore = (one: string | undefined, other: string | undefined) => {
    if (one === undefined || other === undefined || one === other || !serial.has(one) || !serial.has(other)) return;
    const known = later.get(one);
    if (known === undefined) later.set(one, new Set([other]));
    else known.add(other);
  };
  const writers = new Map(
    [...stage.primary.store.stored('list')].map(([key, { items = '' }]) => [key, writersOf(items)] as const),
  );
  for (const all of writers.values()) for (const [at, unit] of all.entries()) comesBefore(unit, all[at + 1]);
  for (const { unit, answer } of serial.values()) {
    if (answer?.is !== 'stored') continue;
    for (const { key, items } of answer.reads) {
      const read = writersOf(items);
      comesBefore(read.at(-1), unit);
      comesBefore(unit, writers.get(key)?.[read.length]);
    }
  }
  const circle = circleIn(later);
  if (circle !== undefined)
    world.violate(
      'serializable units behave as if run one after the other',
      `each comes before the next: ${circle.join(', ')}`,
    );
}

/** The units that have added the items of a list, in their order. */
export function writersOf(items: string): readonly string[] {
  return items
    .split(',')
    .filter(item => item !== '')
    .map(item => item.split('.')[0] ?? '');
}

function circleIn(later: ReadonlyMap<string, ReadonlySet<string>>): readonly string[] | undefined {
  const done = new Set<string>();
  for (const start of later.keys()) {
    const path: string[] = [];
    const visit = (unit: string): readonly string[] | undefined => {
      const at = path.indexOf(unit);
      if (at !== -1) return [...path.slice(at), unit];
      if (done.has(unit)) return undefined;
      path.push(unit);
      for (const next of later.get(unit) ?? []) {
        const circle = visit(next);
        if (circle !== undefined) return circle;
      }
      path.pop();
      done.add(unit);
      return undefined;
    };
    const circle = visit(start);
    if (circle !== undefined) return circle;
  }
  return undefined;
}
