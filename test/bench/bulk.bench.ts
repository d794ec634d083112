import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createTestDatabase } from '@keelson/test-support/database';
import { createPostgresqlService } from '@keelson/test-support/postgresql-service';
import pg from 'pg';
import { from } from 'pg-copy-streams';
import { expect, test } from 'vitest';
import { Event, eventModel, eventRows } from './event-model.js';
import { figureNames } from './figure-names.js';
import { reportFigure } from './micro-report.js';
import { median } from './statistics.js';

const rows = eventRows(100_000);
const rounds = 5;
const pieceLength = 65_536;

test('100,000 rows by bulkInsert, by insertMany, and by COPY of a text that is there', {
  timeout: 300_000,
}, async () => {
  await using testDatabase = await createTestDatabase();
  await using service = createPostgresqlService({ url: testDatabase.url, models: [eventModel], logLevel: 'warn' });
  const { database } = service;
  await database.connect();
  await database.migrate();
  const client = new pg.Client({ connectionString: testDatabase.url });
  await client.connect();
  const pieces = piecesOf(rows.map(copyLine).join(''));

  const ways = {
    insertMany: () =>
      database.session(
        async em => {
          for (let at = 0; at < rows.length; at += 500) await em.insertMany(Event, rows.slice(at, at + 500));
        },
        { timeoutMs: 120_000 },
      ),
    bulkInsert: () => database.bulkInsert(Event, rows),
    // What `\copy` of psql does with a file.
    copy: () => pipeline(Readable.from(pieces), client.query(from(copyStatement))),
  };
  const times: Record<keyof typeof ways, number[]> = { insertMany: [], bulkInsert: [], copy: [] };
  for (let round = 0; round <= rounds; round++) {
    for (const way of ['insertMany', 'bulkInsert', 'copy'] as const) {
      await client.query('truncate event');
      const startedAtMs = performance.now();
      await ways[way]();
      // The first round is the warm-up.
      if (round > 0) times[way].push(performance.now() - startedAtMs);
    }
  }
  const { rows: counted } = await client.query<{ count: number }>('select count(*)::int from event');
  await client.end();
  expect(counted[0]?.count).toBe(rows.length);
  for (const [way, all] of Object.entries(times)) {
    reportFigure({ name: `100,000 rows by ${way}`, value: median(all), unit: 'ms' });
  }
  const bulk = median(times.bulkInsert);
  reportFigure({ name: figureNames.bulkBesideInsertMany, value: bulk / median(times.insertMany), unit: 'x' });
  reportFigure({ name: figureNames.bulkBesideCopy, value: bulk / median(times.copy), unit: 'x' });
});

const copyStatement = 'copy event (kind, at, amount, note, details) from stdin';

/** The text format of COPY; no value here needs an escape. */
function copyLine({ kind, at, amount, note, details }: (typeof rows)[number]): string {
  return `${[kind, at.toISOString(), amount, note ?? '\\N', JSON.stringify(details)].join('\t')}\n`;
}

function piecesOf(text: string): string[] {
  return Array.from({ length: Math.ceil(text.length / pieceLength) }, (_, index) =>
    text.slice(index * pieceLength, (index + 1) * pieceLength),
  );
}
