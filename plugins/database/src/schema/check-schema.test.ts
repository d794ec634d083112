import { RecordingLogger } from '@keelson/core/testing';
import { describe, expect, test } from 'vitest';
import { checkSchema } from './check-schema.js';
import type { SchemaReport } from './schema-report.js';

describe('the schema at the start', () => {
  const valid: SchemaReport = {
    status: 'valid',
    differences: [
      { kind: 'unknown-table', severity: 'info', table: 'old', message: 'The table old belongs to no entity.' },
    ],
  };
  const different: SchemaReport = {
    status: 'different',
    differences: [
      { kind: 'missing-table', severity: 'failure', table: 'invoice', message: 'The table invoice is missing.' },
      ...valid.differences,
    ],
  };
  const database = (report: SchemaReport) => ({ validateSchema: () => Promise.resolve(report) });

  test('off does not look', async () => {
    const looking = { validateSchema: () => Promise.reject(new Error('looked')) };
    await checkSchema(looking, 'off', new RecordingLogger());
  });

  test('warn says what differs, and goes on', async () => {
    const logger = new RecordingLogger();
    await checkSchema(database(different), 'warn', logger);
    const facts = { count: 1, differences: ['The table invoice is missing.'] };
    expect(logger.lines('warn')).toMatchObject([{ message: 'the schema differs from the entities', facts }]);
  });

  test('fail says what differs, and stops', async () => {
    await expect(checkSchema(database(different), 'fail', new RecordingLogger())).rejects.toMatchObject({
      code: 'DATABASE_SCHEMA_DIFFERENT',
      message: 'The schema of the database differs from the entities: The table invoice is missing.',
    });
  });

  test.each(['warn', 'fail'] as const)('%s has nothing against what no entity knows', async mode => {
    const logger = new RecordingLogger();
    await checkSchema(database(valid), mode, logger);
    expect(logger.lines()).toEqual([]);
  });
});
