import type { TestKernel } from '@keelson/core/testing';
import { DatabaseService } from '@keelson/database';
import { withRollback } from '@keelson/database/testing';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Note } from './notes/note.js';
import { NoteBook } from './notes/note-book.js';
import { send, startService } from './start-service.fixture.js';

/** One service for the whole file: the first start of an embedded database takes some seconds, later ones a second or two. */
let service: TestKernel;
let database: DatabaseService;

beforeAll(async () => {
  service = await startService();
  database = service.container.get(DatabaseService);
}, 120_000);

afterAll(() => service?.stop());

/** Whatever these tests store is rolled back, so each begins with an empty table. */
describe('the note book', () => {
  const bookOf = () => new NoteBook({ clock: service.clock, maxTitleLength: 10 });

  test('gives a note the beginning of its text as title', () =>
    withRollback(database, async em => {
      const note = bookOf().write(em, 'Milk\nand bread');
      await em.flush();
      expect(await em.findOne(Note, { id: note.id })).toMatchObject({ title: 'Milk' });
    }));

  test('is empty for the next test', () =>
    withRollback(database, async em => {
      expect(await em.count(Note)).toBe(0);
    }));
});

describe('over HTTP', () => {
  test('a note is written, found, listed and removed', async () => {
    const year = new Date().toISOString().slice(0, 4);
    const written = await send(service, 'POST', '/notes', { text: 'Milk and bread' });
    const body = { title: 'Milk and bread', createdAt: expect.stringMatching(`^${year}-`) };
    expect(written).toMatchObject({ status: 201, body });

    const path = written.headers.get('location') ?? '';
    expect(await send(service, 'GET', path)).toMatchObject({ status: 200, body: written.body });
    expect(await send(service, 'GET', '/notes?limit=1')).toMatchObject({ status: 200, body: [written.body] });
    expect(await send(service, 'DELETE', path)).toMatchObject({ status: 204 });
    expect(await send(service, 'GET', path)).toMatchObject({ status: 404 });
  });

  test('wrong input is refused, with the field that is wrong', async () => {
    const refused = await send(service, 'POST', '/notes', { text: ' ' });
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: '/text' }] } });
  });
});
