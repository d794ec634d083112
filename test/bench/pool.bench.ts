import { Deadline, systemClock } from '@keelson/core';
import { RecordingLogger } from '@keelson/core/testing';
import { optionsSchema, PostgresqlDriver } from '@keelson/database-postgresql';
import { createTestDatabase } from '@keelson/test-support/database';
import pg from 'pg';
import { describe, expect, test } from 'vitest';
import { reportFigure } from './micro-report.js';
import { sideBySide } from './side-by-side.js';

const max = 8;

describe('borrowing a connection', () => {
  test.for([
    { title: 'no other borrower', borrowers: 1 },
    { title: 'two borrowers for each connection', borrowers: 2 * max },
  ])("costs this beside pg's own pool: $title", { timeout: 120_000 }, async ({ title, borrowers }) => {
    await using testDatabase = await createTestDatabase();
    const options = optionsSchema.parse({ url: testDatabase.url, pool: { max } });
    const logger = new RecordingLogger('warn');
    const driver = new PostgresqlDriver(options, { logger, clock: systemClock, directory: '.' });
    await driver.connect(AbortSignal.timeout(10_000));
    const pool = new pg.Pool({ connectionString: testDatabase.url, max });
    const deadline = Deadline.after(600_000, systemClock);

    /** Each borrower waits for its turn, borrows, and gives back once the others have had a turn to ask. */
    const together = async (borrow: () => Promise<{ release(): void }>) => {
      const one = async () => {
        const connection = await borrow();
        await undefined;
        connection.release();
      };
      await Promise.all(Array.from({ length: borrowers }, one));
    };
    const costs = await sideBySide(
      {
        'pg.Pool': () => together(() => pool.connect()),
        'the pool of database-postgresql': () => together(() => driver.acquire({ deadline, readOnly: false })),
      },
      Math.ceil(1_000 / borrowers),
    );
    for (const { name, us } of costs) {
      reportFigure({ name: `acquire and release, ${title}: ${name}`, value: us / borrowers, unit: 'us' });
    }
    await pool.end();
    await driver.close(deadline);
    expect(costs).toHaveLength(2);
  });
});
