import { Author } from '@keelson/test-support/sample-model';
import { startTestService } from '@keelson/test-support/test-service';
import { expect, test } from 'vitest';

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
}

function unreadable(): Error {
  return Object.defineProperty(new Error('a getter'), 'code', {
    get() {
      throw new Error('the getter failed');
    },
  });
}

test.each([
  ['a revoked proxy', revoked()],
  ['an error whose code cannot be read', unreadable()],
])('a session whose work throws %s is rolled back and gives its connection back', async (_what, thrown) => {
  await using service = await startTestService({ options: { pool: { max: 1 } } });
  let rolledBack = 0;
  const failing = service.database.session(async (em, session) => {
    session.onRollback(() => void rolledBack++);
    await em.insert(Author, { id: 1, email: 'a@example.org' });
    throw thrown;
  });
  await expect(failing).rejects.toThrow('The work of a session threw a value that cannot be read.');
  expect([rolledBack, service.database.stats().busy]).toEqual([1, 0]);
  expect(await service.database.read(em => em.count(Author))).toBe(0);
});
