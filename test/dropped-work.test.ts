import { Author } from '@keelson/test-support/sample-model';
import { startTestService, type TestService } from '@keelson/test-support/test-service';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

describe('em.clear()', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startTestService();
    await service.database.session(em => em.insert(Author, { email: 'ada@example.org' }));
  });

  afterAll(() => service[Symbol.asyncDispose]());

  beforeEach(() => service.logger.clear());

  const text = 'work that was never flushed was dropped by em.clear()';
  const warnings = () => service.logger.lines('warn').flatMap(line => (line.message === text ? [line.facts] : []));

  test('warns of work that was never flushed, once for each place', async () => {
    await service.database.session(async em => {
      for (const email of ['one@example.org', 'two@example.org']) {
        em.create(Author, { email });
        em.clear();
      }
      const ada = await em.findOneOrFail(Author, { email: 'ada@example.org' });
      ada.name = 'Ada';
      em.clear();
      em.remove(await em.findOneOrFail(Author, { email: 'ada@example.org' }));
      em.clear();
    });
    const at = expect.stringContaining('dropped-work.test.ts');
    expect(warnings()).toMatchObject([{ at }, { at }, { at }]);
  });

  test('warns of it in a nested session, and in a fork', async () => {
    await service.database.session(async em => {
      await service.database.transaction(async inner => {
        inner.create(Author, { email: 'inner@example.org' });
        inner.clear();
      });
      const fork = em.fork();
      fork.create(Author, { email: 'fork@example.org' });
      fork.clear();
    });
    expect(warnings()).toHaveLength(2);
  });

  test('warns of nothing when everything was flushed, read only, or stored by a batch', async () => {
    const { database } = service;
    await database.session(async em => {
      em.create(Author, { email: 'flushed@example.org' });
      await em.flush();
      em.clear();
      await em.find(Author, {});
      em.clear();
    });
    const given = [{ email: 'same@example.org' }, { email: 'same@example.org' }];
    const refused = database.batch(given, async (em, authors) => {
      for (const author of authors) em.create(Author, author);
    });
    await expect(refused).rejects.toMatchObject({ facts: { itemIndex: 1 } });
    expect(warnings()).toEqual([]);
  });
});
