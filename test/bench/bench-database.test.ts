import { canMakeCertificates } from '@keelson/test-support/certificates';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { BenchDatabase } from './bench-database.js';

describe.skipIf(!canMakeCertificates)('the database of the bench', () => {
  let database: BenchDatabase;

  beforeAll(async () => {
    database = await BenchDatabase.start();
  });
  afterAll(() => database?.[Symbol.asyncDispose]());

  async function connectedTo<Result>(url: string, work: () => Promise<Result>): Promise<Result> {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    try {
      return await work();
    } finally {
      await client.end();
    }
  }

  test('has TLS for those who ask for it', async () => {
    const { url, encryptedUrl } = database;
    await connectedTo(encryptedUrl, () => database.assertEncryption(true));
    await connectedTo(url, () => database.assertEncryption(false));
  });

  test('notices a service whose driver has left the parameters of the url unread', async () => {
    const { url, encryptedUrl } = database;
    const plain = connectedTo(url, () => database.assertEncryption(true));
    await expect(plain).rejects.toThrow('1 connections are not encrypted.');
    const encrypted = connectedTo(encryptedUrl, () => database.assertEncryption(false));
    await expect(encrypted).rejects.toThrow('1 connections are encrypted.');
  });
});
