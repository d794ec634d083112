import type { DatabaseService } from '@keelson/database';
import { expect } from 'vitest';
import { eventually } from './eventually.js';

/** Waits until no connection is lent and no caller waits for one. A caller that gave up does not wait for its own to return. */
export async function untilAtRest(database: DatabaseService): Promise<void> {
  await eventually(() => {
    const { total, idle, busy, waiting } = database.stats();
    expect({ busy, waiting, lent: total - idle }).toEqual({ busy: 0, waiting: 0, lent: 0 });
  });
}
