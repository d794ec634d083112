import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeadlineQueue, type Due } from './deadline-queue.js';

test('entries come out by the time they are due, whatever was taken out before', () => {
  const times = fc.array(fc.integer({ min: 0, max: 1_000 }), { minLength: 10, maxLength: 100, size: 'max' });
  const law = fc.property(times, fc.array(fc.nat(), { maxLength: 60, size: 'max' }), (dueAt, victims) => {
    const queue = new DeadlineQueue<Due>();
    const entries = dueAt.map(at => ({ at, place: -1 }));
    for (const entry of entries) queue.add(entry);
    const left = new Set(entries);
    for (const index of victims) {
      const victim = entries[index % entries.length];
      if (victim === undefined) continue;
      queue.delete(victim);
      left.delete(victim);
    }
    expect(drain(queue)).toEqual([...left].map(({ at }) => at).sort((a, b) => a - b));
  });
  fc.assert(law);
});

function drain(queue: DeadlineQueue<Due>): number[] {
  const drained: number[] = [];
  for (let first = queue.first; first !== undefined; first = queue.first) {
    drained.push(first.at);
    queue.delete(first);
  }
  return drained;
}
