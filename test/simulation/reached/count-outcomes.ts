import { UnitOutcome } from '../../../plugins/database/dist/transaction/unit-outcome.js';
import { currentWorld } from '../world/globals.ts';
import { transition } from './names.ts';

/** Counts each move of the outcome of a unit. To be called once in a process. */
export function countOutcomes(): void {
  const { move } = UnitOutcome.prototype;
  UnitOutcome.prototype.move = function moveAndCount(event) {
    const before = this.now;
    move.call(this, event);
    if (this.now !== before) currentWorld().reach(transition('outcome', before.is, this.now.is, event.it));
  };
}
