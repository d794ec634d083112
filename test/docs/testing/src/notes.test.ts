import { withRollback, withSandbox } from '@keelson/database/testing';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Note } from './note.ts';
import { startService } from './start-service.ts';

let service: Awaited<ReturnType<typeof startService>>;

beforeAll(async () => {
  service = await startService();
}, 120_000);

afterAll(() => service?.stop());

test('a note gets an id', () =>
  withRollback(service.database, async em => {
    const note = em.create(Note, { text: 'Milk' });
    await em.flush();
    expect(note.id).toBeGreaterThan(0);
  }));

test('a note is stored and listed', () =>
  withSandbox(service.database, async () => {
    expect(await service.post('/notes', { text: 'Milk' })).toMatchObject({ status: 201 });
    expect(await service.get('/notes')).toMatchObject([{ text: 'always here' }, { text: 'Milk' }]);
  }));

test('a note without text is refused', () =>
  withSandbox(service.database, async () => {
    expect(await service.post('/notes', { text: '' })).toMatchObject({ status: 422 });
    expect(await service.get('/notes')).toHaveLength(1); // nothing is left of the other tests
  }));
