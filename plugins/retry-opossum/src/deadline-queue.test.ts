import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DeadlineQueue, type Due } from './deadline-queue.js';

test('the entry due first is first, whatever was added and taken out', () => {
  const action = fc.record({
    at: fc.integer({ min: 0, max: 50 }),
    takeOut: fc.option(fc.nat(100), { nil: undefined }),
  });
  const law = fc.property(fc.array(action, { maxLength: 200 }), actions => {
    const queue = new DeadlineQueue<Due>();
    let left: Due[] = [];
    for (const { at, takeOut } of actions) {
      const entry: Due = { at, place: -1 };
      queue.add(entry);
      left.push(entry);
      const victim = takeOut === undefined ? undefined : left[takeOut % left.length];
      if (victim !== undefined) {
        queue.delete(victim);
        queue.delete(victim);
        left = left.filter(other => other !== victim);
      }
      expect(queue.first?.at).toBe(left.length === 0 ? undefined : Math.min(...left.map(other => other.at)));
    }
  });
  fc.assert(law);
});
